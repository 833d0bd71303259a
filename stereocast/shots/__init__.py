"""Frames to shots and clips in one pass: finds cuts and groups frames. It knows no files, depth or stereo."""
