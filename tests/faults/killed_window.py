"""A conversion by diffusion that is killed in the middle of its third window: python -m tests.faults.killed_window ARGUMENTS."""

import json
import os
import signal
import sys
from typing import Any

from stereocast import api
from stereocast.jobs.convert.kept_windows import KeptWindows
from stereocast.models.video import VideoModel

saved = 0


def main() -> None:
    save, predict = KeptWindows.save, VideoModel.predict

    def counted(self: Any, *given: Any) -> None:
        global saved
        save(self, *given)
        saved += 1

    def fatal(self: Any, *given: Any, **more: Any) -> Any:
        if saved == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return predict(self, *given, **more)

    KeptWindows.save, VideoModel.predict = counted, fatal
    told = json.loads(sys.argv[1])
    api.convert(told["source"], told["output"], **told["options"])


if __name__ == "__main__":
    main()
