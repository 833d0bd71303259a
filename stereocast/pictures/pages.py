"""How the C library manages the memory of pictures, for the whole process."""

import contextlib
import ctypes
import sys


def keep_pages() -> None:
    """Tells glibc to keep the memory of pictures that FFmpeg and the encoder ask for again and again, in few heaps:
    what goes back to the system comes again as fresh pages, each of which costs a fault."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # not every Linux has glibc
        libc = ctypes.CDLL(None)
        arenas, mmap_threshold, trim_threshold, top_pad = (-8, 2), (-3, 32 << 20), (-1, 64 << 20), (-2, 1 << 20)
        for option, value in (arenas, mmap_threshold, trim_threshold, top_pad):
            libc.mallopt(option, value)
