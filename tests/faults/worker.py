"""A process that converts what it is told, case after case, and says how each ended. Run by `crowd.Worker`.

Reads a JSON object per line (source, output, flags) and answers with one (ended, message, threads, files).
`--real` uses the real depth and warp in place of small stand-ins.
"""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

LIMIT_BYTES = 6 << 30  # of address space: a damaged size must not take the machine with it


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def settled_threads(at_most: int) -> int:
    """Threads that are left a moment after the work."""
    for _ in range(100):
        if threading.active_count() <= at_most:
            break
        time.sleep(0.02)
    return threading.active_count()


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may write between the answers
    import av

    from stereocast import registry
    from stereocast.errors import StereocastError
    from stereocast.jobs.convert import job
    from stereocast.settings import ConvertSettings

    av.logging.set_level(None)
    if "--real" not in sys.argv:
        registry.DEPTH = {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")}
        registry.SYNTH = {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")}
    threads = threading.active_count()
    for line in sys.stdin:
        case = json.loads(line)
        before = open_files()
        message, frames = "", 0
        try:
            made, source = job.prepare(case["source"], Path(case["output"]), ConvertSettings(**case["flags"]))
            frames = job.convert(made, source).frames
            ended = "done"
        except StereocastError as error:
            ended, message = "refused", str(error)
        except BaseException as error:
            ended, message = "crashed", f"{type(error).__name__}: {error}"
        answer = {
            "ended": ended,
            "message": message,
            "frames": frames,
            "threads": settled_threads(threads) - threads,
            "files": open_files() - before,
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
