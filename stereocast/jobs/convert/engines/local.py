"""Sections in local processes. If one dies, only its section is started again in another."""

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
from stereocast.errors import StereocastError
from stereocast.jobs.convert.engines.ordered import in_order
from stereocast.jobs.convert.engines.section import Result, Task, result_of
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

TRIES = 3


class LocalEngine:
    """As many processes as the settings say; each takes one task after another."""

    def __init__(self, settings: ConvertSettings) -> None:
        self.workers = max(1, settings.workers)
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="section")
        self._running: set[subprocess.Popen[str]] = set()
        self._idle: list[subprocess.Popen[str]] = []
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
                return result_of(json.loads(output))
            log.warning("the worker of %s ended with %d (try %d of %d)", Path(task.output).name, code, attempt, TRIES)
        raise StereocastError(
            f"{task.source}: a section failed {TRIES} times (worker ended with {code}); run again with --resume"
        )

    def _process(self, text: str) -> tuple[int, str]:
        """Gives the task to a worker that has nothing to do, or to a new one: 0 and its answer, or the code it ended with."""
        with self._lock:
            process = self._idle.pop() if self._idle else self._begun()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(text + "\n")
            process.stdin.flush()
        output = process.stdout.readline()
        if output.endswith("\n"):
            with self._lock:
                self._idle.append(process)
            return 0, output
        self._end(process)
        return process.returncode, ""

    def _begun(self) -> "subprocess.Popen[str]":
        if self._closed:
            raise StereocastError("interrupted")
        root = str(Path(stereocast.__file__).resolve().parents[1])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-m", "stereocast.jobs.convert.engines.section"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        self._running.add(process)
        return process

    def _end(self, process: "subprocess.Popen[str]") -> None:
        process.kill()
        process.wait()
        with self._lock:
            self._running.discard(process)
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    def close(self) -> None:
        """Ends what still runs."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for process in self._running:
                process.kill()
        self._pool.shutdown(wait=True)
        for process in list(self._running):
            self._end(process)
        self._idle.clear()
