"""How the C library handles the memory of pictures and tensors, for the whole process."""

import contextlib
import ctypes
import sys

PICTURES = 4 << 20  # bytes: an encoder's larger blocks would stay after it, in gaps that the next encoder's don't fit
TENSORS = 32 << 20  # bytes, the most that glibc takes: training allocates blocks of the same sizes at every step


def keep_pages(kept: int = PICTURES) -> None:
    """Makes glibc keep freed blocks of up to `kept` bytes for reuse, in few heaps.

    Memory returned to the system comes back as fresh pages, and each costs a page fault. Larger blocks are returned
    nevertheless.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # not every Linux has glibc
        libc = ctypes.CDLL(None)
        arenas, mmap_threshold, trim_threshold, top_pad = (-8, 2), (-3, kept), (-1, 16 * kept), (-2, 1 << 20)
        for option, value in (arenas, mmap_threshold, trim_threshold, top_pad):
            libc.mallopt(option, value)
