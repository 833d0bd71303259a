"""Sections on a Ray cluster. The only user of Ray, which schedules, watches its workers and runs again what they lose.

Frames never travel: a worker reads the source and writes its section where the output is, so both have to be on
storage that all machines see, or the source at a URL.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import ray

from stereocast.errors import StereocastError
from stereocast.jobs.convert.engines.ordered import in_order
from stereocast.jobs.convert.engines.section import Result, Task, work
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

TRIES = 3


def _answer(task: Task) -> dict[str, Any]:
    try:
        return {"result": work(task).table()}
    except StereocastError as error:  # an error of the film, not of the machine: no other worker would do better
        return {"error": str(error)}


class RayEngine:
    """Tasks on the cluster at `address` (None: one of this machine's own, started now)."""

    def __init__(self, settings: ConvertSettings) -> None:
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(
                    address=settings.ray_address, num_cpus=settings.workers or None if settings.ray_address is None else None,
                    include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING,
                )  # fmt: skip
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise StereocastError(
                    f"--engine ray: no cluster at {settings.ray_address or 'this machine'}: {error}"
                ) from error
        resources = ray.cluster_resources()
        gpus = 1 if _wants_gpu(settings) and resources.get("GPU", 0) >= 1 else 0
        slots = int(resources.get("GPU", 0)) if gpus else int(resources.get("CPU", 1))
        self.workers = min(settings.workers or slots, max(1, slots))
        self._remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=TRIES - 1)(_answer)
        self._refs: list[Any] = []

    def map(self, tasks: Iterator[Task]) -> Iterator[Result]:
        """Results in the order of the tasks; at most two tasks a worker are under way."""
        for answer in in_order(tasks, self._submit, 2 * self.workers):
            if "error" in answer:
                raise StereocastError(answer["error"])
            yield Result.of(answer["result"])

    def _submit(self, task: Task) -> "Future[dict[str, Any]]":
        ref = self._remote.remote(task)
        self._refs = [old for old in self._refs if not ray.wait([old], timeout=0)[0]] + [ref]
        future: Future[dict[str, Any]] = ref.future()
        return future

    def close(self) -> None:
        """Cancels what still runs; a cluster that was started here is ended."""
        for ref in self._refs:
            ray.cancel(ref, force=True)
        self._refs = []
        if self._own:
            ray.shutdown()


def _wants_gpu(settings: ConvertSettings) -> bool:
    if settings.device not in ("auto", "cpu"):
        return True
    return settings.device == "auto" and (settings.depth not in ("auto", "embedded") or settings.synth != "warp")
