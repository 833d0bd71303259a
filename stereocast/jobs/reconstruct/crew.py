"""The processes that share stage 1 of diffusion2, started by `--ranks N` or torchrun.

The first process does everything else; the others receive a task, compute their rows and columns, and exit.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stereocast.errors import StereocastError, UsageError, first_line

_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Brief:
    """The task of all processes; it is pickled to send it to them."""

    options: Any  # splat.generate.Stage1
    known: Any  # splat.generate.Known
    weights: Mapping[str, Path]
    precision: str = "auto"


def torchrun_rank() -> tuple[int, int]:
    """Rank of this process and number of processes from torchrun; (0, 1) without it."""
    rank, count = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if "MASTER_ADDR" in os.environ and rank.isdigit() and count.isdigit():
        return int(rank), int(count)
    return 0, 1


def device_of(rank: int, device: str) -> str:
    """The device of a process: its GPU, numbered on its machine, or `device` where that isn't CUDA.

    Raises UsageError if torchrun started more processes than there are GPUs.
    """
    if not device.startswith("cuda"):
        return device
    local = os.environ.get("LOCAL_RANK", "")
    if not local.isdigit():
        return f"cuda:{rank}"
    import torch

    if int(local) >= torch.cuda.device_count():
        raise UsageError(
            f"torchrun started more processes than this machine has CUDA devices ({torch.cuda.device_count()}); "
            "set --nproc-per-node to that number"
        )
    return f"cuda:{local}"


@contextmanager
def heed_torchrun() -> Iterator[None]:
    """Treats SIGTERM, which torchrun sends when a process has failed, like Ctrl-C, so that finished work is kept."""
    if torchrun_rank()[1] < 2 or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def here(meeting: Path, rank: int) -> Path:
    """The file that a process creates when it has started and will join the others."""
    return meeting.with_name(f"here_{rank}")


@dataclass(slots=True)
class Crew:
    """The first process's side. Closing it ends the other processes."""

    count: int
    device: str
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _folder: Path | None = None  # holds the meeting file and the logs
    _joined: bool = False
    _left: bool = False

    @classmethod
    def of(cls, ranks: int, device: str) -> "Crew":
        """The crew of --ranks or torchrun. Raises UsageError where there are fewer GPUs than processes."""
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
        with _few_threads(1 if torchrun_rank()[1] > 1 else self.count, self.device), _torn_apart(self._reason):
            made = self._join()
            made.told(task)
            yield made
            self.send_home()

    def send_home(self) -> None:
        """Lets the other processes end normally; those of torchrun that wait for a task are told that there is none."""
        from stereocast.diffusion import ranks

        if self.count < 2 or self._left:
            return
        self._left = True
        if not self._joined and torchrun_rank()[1] > 1:
            with _torn_apart(self._reason):
                self._join().told(None)
        if self._joined:
            ranks.leave()

    def close(self) -> None:
        """Stops the other processes, even if they are working."""
        failed = sys.exc_info()[0] is not None
        if not failed:
            self.send_home()
        for child in self._children:
            try:
                child.wait(_GRACE_S if child.poll() is None and not failed else 0.1)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self._joined:  # otherwise torchrun stops the others, which may be gone already
            self.send_home()
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
                raise RuntimeError("it exited at the start")
            time.sleep(0.05)
        return ranks.join(0, self.count, self.device, meeting.as_uri())

    def _reason(self, error: Exception) -> str:
        said = first_line(error)
        for rank, child in enumerate(self._children, 1):
            with suppress(subprocess.TimeoutExpired):
                if child.wait(2) and self._folder is not None:
                    lines = (self._folder / f"said_{rank}").read_text(errors="replace").strip().splitlines()
                    said = lines[-1] if lines else said
        return (
            f"one of the {self.count} processes of {'torchrun' if torchrun_rank()[1] > 1 else '--ranks'} failed: {said}"
        )


@contextmanager
def _torn_apart(reason: Callable[[Exception], str]) -> Iterator[None]:
    """Turns the errors of torch.distributed about a lost process into a StereocastError."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise StereocastError(reason(error)) from error


@contextmanager
def _few_threads(count: int, device: str) -> Iterator[None]:
    """Divides the CPU's threads among `count` processes."""
    import torch

    before = torch.get_num_threads()
    if device == "cpu" and count > 1:
        torch.set_num_threads(max(1, before // count))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def help_out(rank: int, count: int, device: str, meeting: str = "env://") -> None:
    """The other processes' side: joins, receives the task, does its share. Raises StereocastError."""
    from stereocast.diffusion import ranks
    from stereocast.models.weights import WeightStore
    from stereocast.pipeline.progress import silent
    from stereocast.splat import generate, networks

    if device.startswith("cuda"):
        import torch

        torch.cuda.set_device(device)
    with (
        _few_threads(count if meeting != "env://" else 1, device),
        _torn_apart(lambda e: f"process {rank} of {count}: {first_line(e)}"),
    ):
        try:
            joined = ranks.join(rank, count, device, meeting)
            task = joined.told(None)
            if task is not None:
                models = networks.load_models(WeightStore(task.weights), device, task.precision)
                generate.stage1(models, task.options, silent, task.known, ranks=joined)
        finally:
            ranks.leave()
