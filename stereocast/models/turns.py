"""Models that share a GPU: each is on it while it works; models that don't fit as well wait in main memory.

A model that wants to be moved has `place(device)`, `bytes` (its weights) and `work_bytes` (what a call needs beside them).
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary

from stereocast.models import budget, choice
from stereocast.pictures.devices import free_bytes

log = logging.getLogger(__name__)


class Moving(Protocol):
    """Weights that can wait in main memory."""

    device: str
    resident: bool  # whether its weights are on the device now

    @property
    def bytes(self) -> int: ...

    @property
    def work_bytes(self) -> int: ...

    def place(self, *, resident: bool) -> None: ...


_SHARING: "WeakValueDictionary[int, Any]" = WeakValueDictionary()
_WORKING = threading.RLock()


def join(model: Moving) -> None:
    """Makes a model known to those that it shares a GPU with."""
    _SHARING[id(model)] = model


SIZES = {"1024": (576, 1024), "512": (320, 512), "256": (256, 256)}  # of the published video models


def share_for(settings: Any, device: str) -> budget.Share | None:
    """How a job's models share the GPU; None where it has no card, or one model alone. Raises OutOfMemory."""
    synth, model = getattr(settings, "synth", None), getattr(settings, "model", "camera")
    samples = hasattr(settings, "zero_preset") and (
        synth == "stereocrafter-zero" or (synth is None and model != "camera")
    )
    if not device.startswith("cuda") or not samples:
        return None
    here = sum(model.bytes for model in _SHARING.values() if model.device == device and model.resident)
    return shared_by(settings, room(device) + here)


def shared_by(settings: Any, card: int) -> budget.Share:
    """The same for a GPU with `card` bytes free before anything is loaded. Raises OutOfMemory."""
    work = budget.video_work(
        *SIZES[choice.video_size(settings)], getattr(settings, "zero_window", 16), getattr(settings, "zero_batch", 1)
    )
    return budget.shared(
        card,
        depth=budget.DEPTH_WEIGHTS if settings.depth == "depthcrafter" else 0,
        video=budget.VIDEO_WEIGHTS,
        work=work,
        features=int(settings.feature_budget_gb * budget.GB),
        offload=settings.offload,
    )


def make_room(device: str, need: int) -> None:
    """Sends models to main memory until `need` bytes are free on a GPU, or none is left there."""
    if not device.startswith("cuda"):
        return
    for other in list(_SHARING.values()):
        if room(device) >= need:
            return
        if other.device == device and other.resident:
            other.place(resident=False)


def room(device: str) -> int:
    """Bytes that a model can have on a GPU: what is free, and what torch keeps unused."""
    import torch

    return free_bytes(device) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def turn(model: Any) -> Iterator[None]:
    """The model is on its device inside. Others on the same GPU go to main memory if room is short, and stay there
    until it is their turn."""
    if not getattr(model, "device", "cpu").startswith("cuda") or id(model) not in _SHARING:
        yield
        return
    with _WORKING:
        need = model.work_bytes + (0 if model.resident else model.bytes)
        for other in list(_SHARING.values()):
            if room(model.device) >= need:
                break
            if other is not model and other.device == model.device and other.resident:
                log.info("%s: %s makes room for %s", model.device, type(other).__name__, type(model).__name__)
                other.place(resident=False)
        if not model.resident:
            model.place(resident=True)
        yield
