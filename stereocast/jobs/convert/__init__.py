"""`convert`: films, images and folders to stereo; resumed, divided, many at once."""
