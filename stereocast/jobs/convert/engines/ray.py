"""Runs sections on a Ray cluster. The only user of Ray, which schedules tasks, watches workers and reruns lost tasks.

Frames don't travel between machines. A worker reads the source and writes its section next to the output, so both must
be on storage that all machines share, or the source at a URL.
"""

import logging
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from stereocast.errors import StereocastError, UsageError
from stereocast.jobs.convert.engines.ordered import in_order
from stereocast.jobs.convert.engines.section import Result, Task, answer, result_of
from stereocast.media.names import is_url
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

TRIES = 3
CORES_EACH = 4  # cores per worker, where the number of workers isn't given


def _answer(task: Task) -> dict[str, Any]:
    """Runs a task on a worker. Errors of the film are returned as values, because retrying elsewhere wouldn't help."""
    places = {"output folder": Path(task.output).parent}
    if not is_url(task.source):
        places["source"] = Path(task.source)
    for what, path in places.items():
        if not path.exists():
            reason = f"the {what} {path} doesn't exist on {platform.node()}"
            return {"error": f"--engine ray: {reason}; all machines need the same path", "kind": UsageError.__name__}
    return answer(task)


def placed(task: Task) -> Task:
    """The task with absolute paths."""
    source = task.source if is_url(task.source) else str(Path(task.source).resolve())
    return replace(task, source=source, output=str(Path(task.output).resolve()))


def shares(wanted: int, nodes: Sequence[int]) -> tuple[int, int]:
    """Number of workers and cores per worker, for `wanted` workers (0: as many as fit) on machines with `nodes` cores.

    By default a worker gets CORES_EACH cores, about as many as a conversion keeps busy.
    """
    total = max(1, sum(nodes))
    each = max(1, min(total // wanted if wanted else CORES_EACH, max(nodes, default=1)))
    slots = max(1, sum(cores // each for cores in nodes))
    return min(wanted or slots, slots), each


class RayEngine:
    """Runs tasks on the cluster at `settings.ray_address` (None: a temporary cluster on this machine)."""

    def __init__(self, settings: ConvertSettings) -> None:
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(
                    address=settings.ray_address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
                )  # fmt: skip
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise StereocastError(
                    f"--engine ray: no cluster at {settings.ray_address or 'this machine'}: {error}"
                ) from error
        resources = ray.cluster_resources()
        gpus = 1 if _wants_gpu(settings) and resources.get("GPU", 0) >= 1 else 0
        nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        self.workers, cores = shares(
            min(settings.workers or int(resources["GPU"]), int(resources["GPU"])) if gpus else settings.workers, nodes
        )
        self._remote = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=TRIES - 1)(_answer)
        self._refs: list[Any] = []

    def map(self, tasks: Iterator[Task]) -> Iterator[Result]:
        """Results in the order of the tasks; at most two tasks per worker are submitted at a time."""
        for made in in_order(tasks, self._submit, 2 * self.workers):
            yield result_of(made)

    def _submit(self, task: Task) -> "Future[dict[str, Any]]":
        ref = self._remote.remote(placed(task))
        self._refs = [old for old in self._refs if not ray.wait([old], timeout=0)[0]] + [ref]
        future: Future[dict[str, Any]] = ref.future()
        return future

    def close(self) -> None:
        """Cancels running tasks and shuts down the cluster, if this engine started it."""
        for ref in self._refs:
            ray.cancel(ref, force=True)
        self._refs = []
        if self._own:
            ray.shutdown()


def _wants_gpu(settings: ConvertSettings) -> bool:
    if settings.device not in ("auto", "cpu"):
        return True
    return settings.device == "auto" and (settings.depth not in ("auto", "embedded") or settings.synth != "warp")
