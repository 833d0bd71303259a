"""Files and streams: probing, reading, writing, what passes through. The only room that uses PyAV; it knows nothing of
depth or stereo beyond the name of a layout."""
