"""The processes that divide stage 1 of diffusion2: started by `--ranks N`, or by torchrun.

The first process does everything else; the others get a task, compute their rows and columns, and exit.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stereocast.errors import StereocastError, UsageError

_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Brief:
    """The shared task of all processes, in pickled form."""

    options: Any  # splat.generate.Stage1
    known: Any  # splat.generate.Known
    weights: Mapping[str, Path]
    precision: str = "auto"


def torchrun_rank() -> tuple[int, int]:
    """This process's number and how many there are, as torchrun says; (0, 1) without it."""
    rank, count = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if "MASTER_ADDR" in os.environ and rank.isdigit() and count.isdigit():
        return int(rank), int(count)
    return 0, 1


def device_of(rank: int, device: str) -> str:
    """The GPU of a process, numbered on its machine; the CPU for all where that was chosen."""
    if not device.startswith("cuda"):
        return device
    local = os.environ.get("LOCAL_RANK", "")
    return f"cuda:{int(local) if local.isdigit() else rank}"


def here(meeting: Path, rank: int) -> Path:
    """The sign of a process that it has started and will join the others."""
    return meeting.with_name(f"here_{rank}")


@dataclass(slots=True)
class Crew:
    """The first process's side. Closing it ends the others."""

    count: int
    device: str
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _folder: Path | None = None  # where they meet, and what they said
    _joined: bool = False

    @classmethod
    def of(cls, ranks: int, device: str) -> "Crew":
        """By --ranks or torchrun. Raises UsageError where there are fewer cards than processes."""
        count = torchrun_rank()[1]
        if count > 1:
            return cls(count, device_of(0, device))
        if ranks > 1 and device.startswith("cuda"):
            import torch

            if ranks > torch.cuda.device_count():
                raise UsageError(f"--ranks {ranks}: this machine has {torch.cuda.device_count()} CUDA device(s)")
            device = "cuda:0"
        return cls(ranks, device)

    @contextmanager
    def at_work(self, task: Brief) -> Iterator[Any]:
        """diffusion.ranks.Ranks for the task. Raises StereocastError where another process failed."""
        from stereocast.diffusion import ranks

        if self.count < 2:
            yield ranks.Ranks(self.device)
            return
        with _few_threads(1 if torchrun_rank()[1] > 1 else self.count, self.device):
            try:
                made = self._join()
                made.told(task)
                yield made
            except (RuntimeError, OSError) as error:
                raise StereocastError(self._reason(error)) from error

    def close(self) -> None:
        """Ends the other processes; those of torchrun that wait for a task get an empty one."""
        from stereocast.diffusion import ranks

        if self.count > 1 and not self._joined and torchrun_rank()[1] > 1:
            self._join().told(None)
        if self._joined:
            ranks.leave()
        for child in self._children:
            try:
                child.wait(_GRACE_S if child.poll() is None and sys.exc_info()[0] is None else 0.1)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _join(self) -> Any:
        from stereocast.diffusion import ranks

        self._joined = True
        if torchrun_rank()[1] > 1:
            return ranks.join(0, self.count, self.device)
        self._folder = Path(tempfile.mkdtemp(prefix="stereocast-"))
        meeting = self._folder / "meeting"
        for rank in range(1, self.count):
            words = [str(meeting), str(rank), str(self.count), device_of(rank, self.device)]
            command = [sys.executable, "-m", "stereocast.jobs.reconstruct.helper", *words]
            with (self._folder / f"said_{rank}").open("wb") as said:
                self._children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said))
        while not all(here(meeting, rank).exists() for rank in range(1, self.count)):
            if any(child.poll() is not None for child in self._children):
                raise RuntimeError("it ended before it started")
            time.sleep(0.05)
        return ranks.join(0, self.count, self.device, meeting.as_uri())

    def _reason(self, error: Exception) -> str:
        said = str(error).strip().splitlines()[0]
        for rank, child in enumerate(self._children, 1):
            with suppress(subprocess.TimeoutExpired):
                if child.wait(2) and self._folder is not None:
                    lines = (self._folder / f"said_{rank}").read_text(errors="replace").strip().splitlines()
                    said = lines[-1] if lines else said
        return f"one of the {self.count} processes of --ranks failed: {said}"


@contextmanager
def _few_threads(count: int, device: str) -> Iterator[None]:
    """Processes that share a CPU share its threads."""
    import torch

    before = torch.get_num_threads()
    if device == "cpu" and count > 1:
        torch.set_num_threads(max(1, before // count))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def help_out(rank: int, count: int, device: str, meeting: str = "env://") -> None:
    """The other processes' side: joins, takes the task, does its share. Raises StereocastError."""
    from stereocast.diffusion import ranks
    from stereocast.models.weights import WeightStore
    from stereocast.pipeline.progress import silent
    from stereocast.splat import generate, networks

    if device.startswith("cuda"):
        import torch

        torch.cuda.set_device(device)
    with _few_threads(count if meeting != "env://" else 1, device):
        try:
            joined = ranks.join(rank, count, device, meeting)
            task = joined.told(None)
            if task is not None:
                models = networks.load_models(WeightStore(task.weights), device, task.precision)
                generate.stage1(models, task.options, silent, task.known, ranks=joined)
        finally:
            ranks.leave()
