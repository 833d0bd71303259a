"""Sections in processes of this machine. One that dies costs its own section, which is begun again elsewhere."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import stereocast
from stereocast import errors
from stereocast.errors import StereocastError
from stereocast.jobs.convert.engines.ordered import in_order
from stereocast.jobs.convert.engines.section import Result, Task
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

TRIES = 3


class LocalEngine:
    """As many processes as the settings say, a task each."""

    def __init__(self, settings: ConvertSettings) -> None:
        self.workers = max(1, settings.workers)
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="section")
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def map(self, tasks: Iterator[Task]) -> Iterator[Result]:
        """Results in the order of the tasks; at most two tasks a worker are under way or wait to be taken."""
        return in_order(tasks, self._submit, 2 * self.workers)

    def _submit(self, task: Task) -> "Future[Result]":
        return self._pool.submit(self._run, task)

    def _run(self, task: Task) -> Result:
        for attempt in range(1, TRIES + 1):
            code, output = self._process(json.dumps(asdict(task)))
            if self._closed:
                raise StereocastError("interrupted")
            if code == 0 and output:
                answer = json.loads(output)
                if "error" in answer:
                    kind = getattr(errors, answer["kind"], StereocastError)
                    raise kind.__new__(kind, answer["error"])
                return Result.of(answer["result"])
            log.warning("the worker of %s ended with %d (try %d of %d)", Path(task.output).name, code, attempt, TRIES)
        raise StereocastError(
            f"{task.source}: a section failed {TRIES} times (worker ended with {code}); run again with --resume"
        )

    def _process(self, text: str) -> tuple[int, str]:
        root = str(Path(stereocast.__file__).resolve().parents[1])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-m", "stereocast.jobs.convert.engines.section"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with self._lock:
            self._running.add(process)
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(text + "\n")
                process.stdin.flush()
            output = process.stdout.read()  # its standard input stays open: a worker ends when we are gone
            process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
        return process.returncode, output

    def close(self) -> None:
        """Ends what still runs."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for process in self._running:
                process.kill()
        self._pool.shutdown(wait=True)
