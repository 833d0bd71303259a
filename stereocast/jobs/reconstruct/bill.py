"""The plan and cost of `4d`, for `--dry-run`."""

import time
from typing import Any

from stereocast.jobs.reconstruct import generated
from stereocast.jobs.reconstruct.crew import Crew
from stereocast.jobs.reconstruct.order import Order
from stereocast.pictures import devices

# TFLOP of one forward pass for each picture of 576²: what grows with the pixels, and attention, which grows with their square
_LINEAR, _ATTENTION, _ENCODE, _DECODE = 1.448, 0.2, 1.37, 3.81
_WEIGHTS_GB, _UNET_GB = {2: 1.6, 4: 2.9}, {2: 3.05, 4: 6.1}  # by bytes a number: tower and VAEs, and one UNet
_WORK_GB = 18.3e-6  # of an evaluation, for each latent sample of each picture (measured with DepthCrafter, same UNet)
_REACHED = 0.4  # of what a GPU does in large products
_PER_ITERATION_S = {"cuda": 0.01, "cpu": 1.0}  # of stage 2 at 576², estimated


def bill(order: Order, model: str, device: str) -> dict[str, Any]:
    """Model, sizes, work, memory and time, as JSON. Raises UsageError."""
    settings = order.settings
    size, diffuses = settings.matrix_size or (576 if model == "diffusion2" else 192), model == "diffusion2"
    row: dict[str, Any] = {
        "model": model, "device": device, "matrix_size": size,
        "views": settings.views or (21 if diffuses else 13), "frames": settings.frames or (25 if diffuses else 9),
    }  # fmt: skip
    return row | _diffusion(order, row, device) if diffuses else row


def _diffusion(order: Order, row: dict[str, Any], device: str) -> dict[str, Any]:
    from stereocast.diffusion import compose
    from stereocast.models import shelf
    from stereocast.models.weights import WeightStore
    from stereocast.splat import networks

    settings, options = order.settings, generated.options_of(order.settings)
    views, frames, scale = row["views"], row["frames"], (row["matrix_size"] / 576) ** 2
    each = _LINEAR * scale + _ATTENTION * scale**2
    evaluations = len(compose.plan(options.steps, options.choices.rollback_steps))
    made = (order.views is None) * views + frames
    pictures = 2 * (2 * views * frames * evaluations + options.steps * made)
    work = pictures * each + (views * frames + made) * _DECODE * scale + (views + frames) * _ENCODE * scale
    names = [*networks.NAMES, *([settings.text_model] if order.prompt is not None else [])]
    store = WeightStore.of(settings, "svd")
    crew = Crew.of(settings.ranks, device)
    width = 4 if device == "cpu" or settings.precision == "fp32" else 2
    samples = 2 * max(views, frames) * (row["matrix_size"] // 8) ** 2
    alone = _UNET_GB[width] + samples * _WORK_GB
    speed = _speed(device)
    seconds = (
        work / speed / crew.count
        + (settings.iterations or 5000) * _PER_ITERATION_S["cuda" if width == 2 else "cpu"] * scale
    )
    return {
        "evaluations": evaluations, "pflop": round(work / 1e3, 1), "ranks": crew.count,
        "weights": {name: {"gb": round(shelf.find(name).size / 1e9, 1), "there": store.has(name)} for name in names},
        "memory_gb": {
            "least": round(alone, 1), "both_unets": round(alone + _UNET_GB[width] + _WEIGHTS_GB[width], 1),
            "free": round(devices.free_bytes(device) / 1e9, 1),
        },
        "tflop_per_s": round(speed, 2), "reached": _REACHED, "hours": round(seconds / 3600, 2),
    }  # fmt: skip


def _speed(device: str) -> float:
    """TFLOP a second that networks reach here, from large products: half a second's measurement."""
    import torch

    on_card = device.startswith("cuda")
    side, dtype = (4096, torch.bfloat16) if on_card else (512, torch.float32)
    a = torch.ones(side, side, device=device, dtype=dtype)
    done, begun = 0, 0.0
    for number in range(200):
        if number == 3:
            _wait(on_card)
            begun = time.perf_counter()
        a @ a
        if number >= 3:
            done += 1
            if time.perf_counter() - begun > 0.3:
                break
    _wait(on_card)
    return _REACHED * 2 * side**3 * done / max(time.perf_counter() - begun, 1e-9) / 1e12


def _wait(on_card: bool) -> None:
    import torch

    if on_card:
        torch.cuda.synchronize()
