"""`gen`: makes a stereo clip from a picture."""
