"""How the C library handles the memory of pictures, for the whole process."""

import contextlib
import ctypes
import sys


def keep_pages() -> None:
    """Makes glibc keep the picture memory that FFmpeg and the encoder allocate repeatedly, in few heaps.

    Memory returned to the system comes back as fresh pages, and each costs a page fault. Larger blocks are returned
    nevertheless: an encoder's would stay after it, in gaps that the next encoder's don't fit.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # not every Linux has glibc
        libc = ctypes.CDLL(None)
        arenas, mmap_threshold, trim_threshold, top_pad = (-8, 2), (-3, 4 << 20), (-1, 64 << 20), (-2, 1 << 20)
        for option, value in (arenas, mmap_threshold, trim_threshold, top_pad):
            libc.mallopt(option, value)
