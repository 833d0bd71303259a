"""`convert`: films, images and folders to stereo, with resuming, sections and batches."""
