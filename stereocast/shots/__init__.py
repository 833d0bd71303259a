"""Frames to shots and clips: where the cuts are, and frames that travel together, in one pass. It knows nothing about files, depth or stereo."""
