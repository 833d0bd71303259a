"""Frames to clips: cuts and windows, in one pass. It knows nothing of files, depth or stereo."""
