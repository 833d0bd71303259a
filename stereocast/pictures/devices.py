"""Devices: only this module moves arrays between host and device."""

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
    """A device and the reason for its choice."""

    name: str  # "cpu", "cuda:0", "mps"
    reason: str

    @property
    def on_gpu(self) -> bool:
        return self.name != "cpu"


def choose_device(wanted: str = "auto") -> Device:
    """The device named by `wanted` ('auto', 'cpu', 'cuda', 'cuda:N', 'mps').

    Raises UsageError for a device that doesn't exist, ExtraMissing if torch is needed but not installed.
    """
    if wanted == "cpu":
        return Device("cpu", "requested")
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
        if index and not index.isdecimal():
            raise UsageError(f"--device {wanted}: the number of a CUDA device must follow the colon, as in cuda:0")
        if not torch.cuda.is_available():
            raise UsageError(f"--device {wanted}: no CUDA device found; use --device cpu")
        number = int(index or 0)
        if number >= torch.cuda.device_count():
            raise UsageError(f"--device {wanted}: this machine has {torch.cuda.device_count()} CUDA device(s)")
        return Device(f"cuda:{number}", torch.cuda.get_device_name(number))
    if kind == "mps" and torch.backends.mps.is_available():
        return Device("mps", "Apple GPU")
    raise UsageError(f"--device {wanted}: not found on this machine; use auto, cpu, cuda or cuda:N")


def to_host(array: Array) -> Any:
    """`array` as NumPy, a view if possible."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else array


def to_device(array: Array, device: Any) -> Any:
    """`array` (NumPy or torch) as a tensor on a device. On the CPU it shares the memory of a contiguous NumPy array."""
    import torch

    tensor = array if hasattr(array, "detach") else torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device)


def free_bytes(device: str = "cpu") -> int:
    """Estimated free memory of a device in bytes; on a GPU, at most what this process may still allocate."""
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
    """TFLOPS of a device in large matrix products: half precision on a card, float32 on a CPU. A quick measurement."""
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
    """How many frames of this cost fit into `share` of the device's free memory, within bounds."""
    return max(at_least, min(at_most, int(free_bytes(device) * share) // max(1, bytes_per_frame)))
