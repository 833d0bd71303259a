"""The border between host and device: the only place that moves arrays across it."""

import os
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from stereocast.errors import ExtraMissing, UsageError
from stereocast.types import Array


@dataclass(frozen=True, slots=True)
class Device:
    """A device and why it was chosen."""

    name: str  # "cpu", "cuda:0", "mps"
    reason: str

    @property
    def on_gpu(self) -> bool:
        return self.name != "cpu"


def choose_device(wanted: str = "auto") -> Device:
    """The device named by `wanted` ('auto', 'cpu', 'cuda', 'cuda:N', 'mps').

    Raises UsageError for a device that isn't there, ExtraMissing where torch is needed and absent.
    """
    if wanted == "cpu":
        return Device("cpu", "asked for")
    if find_spec("torch") is None:
        if wanted == "auto":
            return Device("cpu", "torch isn't installed")
        raise ExtraMissing(f"device '{wanted}'", "depth")
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return Device("cuda:0", torch.cuda.get_device_name(0))
        if torch.backends.mps.is_available():
            return Device("mps", "Apple GPU")
        return Device("cpu", "no GPU found")
    kind, _, index = wanted.partition(":")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(f"--device {wanted}: no CUDA device found; use --device cpu")
        number = int(index) if index.isdigit() else 0
        if number >= torch.cuda.device_count():
            raise UsageError(f"--device {wanted}: this machine has {torch.cuda.device_count()} CUDA device(s)")
        return Device(f"cuda:{number}", torch.cuda.get_device_name(number))
    if kind == "mps" and torch.backends.mps.is_available():
        return Device("mps", "Apple GPU")
    raise UsageError(f"--device {wanted}: not found here; use auto, cpu, cuda or cuda:N")


def to_host(array: Array) -> Any:
    """A NumPy view or copy of `array`."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else array


def to_device(array: Array, device: Any) -> Any:
    """A tensor of `array` (NumPy or torch) on a device; on the CPU it shares NumPy's memory where that is contiguous."""
    import torch

    tensor = array if hasattr(array, "detach") else torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device)


def free_bytes(device: str = "cpu") -> int:
    """Free memory of a device in bytes, an estimate; on a card no more than this process may still take."""
    if device.startswith("cuda"):
        import torch

        free, total = torch.cuda.mem_get_info(device)
        asked = getattr(torch.cuda, "get_per_process_memory_fraction", None)  # older torch has none
        share = 1.0 if asked is None else asked(device)  # 1, unless a cap was set
        if share < 1:
            free = min(free, int(share * total) - torch.cuda.memory_reserved(device))
        return max(0, int(free))
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 4 << 30


@cache
def tflops(device: str) -> float:
    """What a device reaches in large products: half precision on a card, float32 on a CPU. Measured in a moment."""
    import torch

    on_card = device.startswith("cuda")
    side, times = (8192, 10) if on_card else (1024, 4)
    given = torch.randn(side, side, device=device, dtype=torch.float16 if on_card else torch.float32)

    def work() -> None:
        given @ given
        if on_card:
            torch.cuda.synchronize(device)

    work()
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return 2 * side**3 * times / (time.perf_counter() - begun) / 1e12


def frames_that_fit(
    bytes_per_frame: int, device: str = "cpu", *, at_least: int = 1, at_most: int = 1 << 30, share: float = 0.6
) -> int:
    """How many frames of that cost fit into `share` of the device's free memory, within bounds."""
    return max(at_least, min(at_most, int(free_bytes(device) * share) // max(1, bytes_per_frame)))
