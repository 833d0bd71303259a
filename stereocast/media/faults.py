"""Turns system errors into one line each: which file, what is wrong, what to do."""

import errno

from stereocast.media import owned

_ADVICE = {
    errno.ENOSPC: "free some space, or choose another folder with -o",
    getattr(errno, "EDQUOT", errno.ENOSPC): "free some space, or choose another folder with -o",
    errno.EROFS: "choose another folder with -o",
    errno.EACCES: "change its permissions, or choose another folder",
    errno.EPERM: "change its permissions, or choose another folder",
    errno.EMFILE: "close other programs, or raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "use --scale, or close other programs",
    errno.EIO: "check the disk or the connection to it",
}


def line(error: OSError | MemoryError) -> str:
    """The message for a system error that was not expected anywhere."""
    if isinstance(error, MemoryError):
        return "not enough memory; use --scale, or close other programs"
    name = error.filename if isinstance(error.filename, str) else ""
    text = f"{name}: {owned.reason(error)}" if name else owned.reason(error)
    advice = _ADVICE.get(error.errno or 0)
    return f"{text}; {advice}" if advice else text
