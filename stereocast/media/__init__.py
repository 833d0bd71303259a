"""Files and streams: probing, reading, writing, passing other streams through. The only room that uses PyAV. Of depth and
stereo it knows only the names of layouts."""
