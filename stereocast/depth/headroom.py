"""How estimators handle short memory: they recognise it, log it and retry smaller. Also the choices that avoid it."""

import gc
import logging
from collections.abc import Callable
from typing import Any, Literal

from stereocast.errors import OutOfMemory, UsageError
from stereocast.pictures import devices

_log = logging.getLogger(__name__)
Offload = Literal["none", "model", "sequential"]


def is_exhausted(error: BaseException) -> bool:
    """Whether an error means that a device or the host is out of memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def release(device: str) -> None:
    """Frees unused memory on the device."""
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def smaller(count: int, least: int, device: str, error: BaseException) -> int:
    """Half of `count` frames, with a warning in the log. Raises OutOfMemory if `count` is at most `least`."""
    if count <= least:
        raise OutOfMemory(
            f"{device} has too little memory, even for windows of {count} frames; use a smaller --depth-size, "
            f"--depth-offload sequential, or --device cpu"
        ) from error
    error.__traceback__ = None  # it would keep the failed call's tensors alive
    release(device)
    _log.warning("%s is out of memory with %d frames at a time; trying %d", device, count, max(least, count // 2))
    return max(least, count // 2)


def in_halves(call: Callable[[Any], Any], batch: Any, device: str) -> Any:
    """`call(batch)`, recursively in halves if it doesn't fit into memory. Raises OutOfMemory."""
    try:
        return call(batch)
    except (RuntimeError, MemoryError) as error:
        if not is_exhausted(error):
            raise
        half = smaller(len(batch), 1, device, error)
    import torch

    return torch.cat([in_halves(call, batch[:half], device), in_halves(call, batch[half:], device)])


def dtype_for(precision: str, device: str) -> Any:
    """The torch dtype of --precision; auto is fp16 on a GPU and fp32 elsewhere. Raises UsageError."""
    import torch

    if precision == "auto":
        return torch.float16 if device.startswith("cuda") else torch.float32
    if precision == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 needs a GPU; use fp32 or bf16 with --device cpu")
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def offload_for(wanted: str, device: str, weights_bytes: int) -> Offload:
    """How to offload weights: the setting, or for `auto` by the device's free memory. On a CPU, none."""
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if device == "cpu":
        return "none"
    free = devices.free_bytes(device)
    chosen: Offload = "none" if free > 3 * weights_bytes else "model" if free > weights_bytes else "sequential"
    _log.info("offload %s: %.1f GB free on %s", chosen, free / 1e9, device)
    return chosen
