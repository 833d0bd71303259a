"""`convert`: films, images and folders to stereo, with resume, workers and batches."""
