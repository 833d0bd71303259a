"""One accurate line for each system error: the file, what the system reports, what to do."""

import errno

from stereocast.media import owned

_ADVICE = {
    errno.ENOSPC: "free some space, or choose another place with -o",
    getattr(errno, "EDQUOT", errno.ENOSPC): "free some space, or choose another place with -o",
    errno.EROFS: "choose another place with -o",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EMFILE: "close other programs, or raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "use --scale, or close other programs",
    errno.EIO: "check the disk or the connection to it",
}


def line(error: OSError | MemoryError) -> str:
    """What is shown of an error that no part of the program expected."""
    if isinstance(error, MemoryError):
        return "not enough memory; use --scale, or close other programs"
    name = error.filename if isinstance(error.filename, str) else ""
    text = f"{name}: {owned.reason(error)}" if name else owned.reason(error)
    advice = _ADVICE.get(error.errno or 0)
    return f"{text}; {advice}" if advice else text
