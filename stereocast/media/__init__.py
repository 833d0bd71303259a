"""Files and streams: probing, reading, writing and passing through. The only room that uses PyAV. It knows nothing about
depth, and about stereo only the names of layouts."""
