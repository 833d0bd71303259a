"""`gen`: one picture to a stereo clip."""
