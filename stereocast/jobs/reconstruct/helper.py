"""`python -m stereocast.jobs.reconstruct.helper MEETING RANK COUNT DEVICE`: one of the processes of `4d --ranks`."""

import signal
import sys
from pathlib import Path

from stereocast.errors import StereocastError, first_line
from stereocast.jobs.reconstruct import crew


def main(meeting: str, rank: str, count: str, device: str) -> int:
    """Does this process's share of stage 1. Returns 1 on failure, with a line on standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process handles Ctrl-C and stops this one
    try:
        import torch.distributed  # noqa: F401  (so that import errors come before the sign)

        crew.here(Path(meeting), int(rank)).touch()
        crew.help_out(int(rank), int(count), device, Path(meeting).as_uri())
    except (StereocastError, ImportError, RuntimeError, OSError) as error:
        print(first_line(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
