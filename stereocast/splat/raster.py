"""The CPU rasteriser of Gaussians: compiled, multi-threaded, differentiable, deterministic.

Images and gradients don't depend on the number of threads: one thread composites a tile, and the gradients of each
Gaussian are summed in a fixed order.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from stereocast.kernels import gaussian_project as project
from stereocast.kernels import gaussian_tiles as tiles
from stereocast.types import Array

Tensor = Any  # torch.Tensor; mypy doesn't know torch


def thread_count() -> int:
    """The rasteriser's threads: NUMBA_NUM_THREADS, or else the number of CPUs this process may use."""
    wanted = os.environ.get("NUMBA_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="raster")


def _spread(kernel: Callable[..., None], count: int, threads: int, chunk: int, *arguments: Any) -> None:
    """Runs kernel(first, end, *arguments) over 0..count in chunks, which idle threads take."""
    if threads == 1 or count <= chunk:
        kernel(0, count, *arguments)
        return
    jobs = [_pool(threads).submit(kernel, at, min(at + chunk, count), *arguments) for at in range(0, count, chunk)]
    for job in jobs:
        job.result()


@dataclass(slots=True)
class View:
    """One camera's intermediate results. `grad` is set by backward."""

    matrix: Array  # float64 [4, 4], world -> camera
    intrinsics: Array  # float64 [3, 3]
    centre: Array  # float64 [N, 2], pixels
    shape: Array  # float32 [N, 6], see project.project
    depths: Array  # float32 [N]
    radii: Array  # int32 [N, 2]
    colours: Array  # float32 [N, 3]
    background: Array  # float32 [3]
    offsets: Array  # int64 [N + 1]
    tiles: Array  # int64 [tiles + 1]
    ids: Array  # int32 [P]
    slots: Array  # int64 [P]
    rest: Array  # float32 [H', W'], transmittance left
    last: Array  # int32 [H', W']
    grad: Array | None = field(default=None)  # float32 [N, 10]; the first two are the gradient of centre


@dataclass(frozen=True, slots=True)
class Options:
    """How to rasterise. Defaults are gsplat's."""

    width: int
    height: int
    sh_degree: int | None = None  # None: colours are RGB
    antialiased: bool = False
    near: float = 0.01
    far: float = 1e10
    blur: float = 0.3  # pixels², added to the footprint
    threads: int = 0  # 0: thread_count()


def _render(scene: tuple[Array, ...], view: Array, k: Array, background: Array, options: Options) -> tuple[Any, ...]:
    means, quats, scales, opacities, colours = scene
    threads, count = options.threads or thread_count(), len(means)
    width, height = options.width, options.height
    columns, rows = -(-width // tiles.TILE), -(-height // tiles.TILE)
    centre, shape = np.empty((count, 2)), np.empty((count, 6), np.float32)
    depths, radii = np.empty(count, np.float32), np.empty((count, 2), np.int32)
    _spread(
        project.project, count, threads, 4096, means, quats, scales, opacities, view, k, width, height,
        options.near, options.far, options.blur, options.antialiased, centre, shape, depths, radii,
    )  # fmt: skip
    shaded = colours
    if options.sh_degree is not None:
        shaded = np.zeros((count, 3), np.float32)
        eye = np.linalg.inv(view)[:3, 3].copy()
        _spread(project.shade, count, threads, 4096, means, colours, options.sh_degree, eye, radii, shaded)
    offsets, starts = np.empty(count + 1, np.int64), np.empty(columns * rows + 1, np.int64)
    tiles.count(centre, shape, radii, columns, rows, offsets, starts)
    ids, slots = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int64)
    order = np.argsort(depths, kind="stable")
    tiles.fill(order, centre, shape, columns, rows, offsets, starts, ids, slots)
    size = (rows * tiles.TILE, columns * tiles.TILE)
    image = np.empty((*size, 3), np.float32)
    rest, depth, last = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.int32)
    _spread(
        tiles.forward, columns * rows, threads, max(1, columns // 2), columns, starts, ids, centre, shape, shaded, depths,
        background, image, rest, depth, last,
    )  # fmt: skip
    kept = View(view, k, centre, shape, depths, radii, shaded, background, offsets, starts, ids, slots, rest, last)
    return image[:height, :width], 1 - rest[:height, :width], depth[:height, :width], kept


def _padded(gradient: Array, shape: tuple[int, ...]) -> Array:
    """A picture's gradient, zero-padded to whole tiles."""
    if gradient.shape[:2] == shape[:2]:
        return np.ascontiguousarray(gradient)
    out = np.zeros(shape, np.float32)
    out[: gradient.shape[0], : gradient.shape[1]] = gradient
    return out


def _render_back(
    scene: tuple[Array, ...], kept: View, options: Options, given: tuple[Array, Array, Array], grads: tuple[Array, ...]
) -> None:
    """Adds one camera's share to `grads`, the gradients of the scene's five arrays."""
    means, quats, scales, opacities, colours = scene
    g_means, g_quats, g_scales, g_opacities, g_colours = grads
    threads, count = options.threads or thread_count(), len(means)
    columns, size = -(-options.width // tiles.TILE), kept.rest.shape
    g_image, g_alpha, g_depth = (
        _padded(g, (*size, *g.shape[2:])) for g in given
    )  # fmt: skip
    pairs = np.empty((len(kept.ids), 10), np.float32)
    _spread(
        tiles.backward, len(kept.tiles) - 1, threads, max(1, columns // 2), columns, kept.tiles, kept.ids, kept.slots,
        kept.centre, kept.shape, kept.colours, kept.depths, kept.background, kept.rest, kept.last,
        g_image, g_alpha, g_depth, pairs,
    )  # fmt: skip
    kept.grad = np.empty((count, 10), np.float32)
    _spread(tiles.gather, count, threads, 8192, kept.offsets, pairs, kept.grad)
    _spread(
        project.project_back, count, threads, 4096, means, quats, scales, opacities, kept.matrix, kept.intrinsics,
        options.width, options.height, options.blur, options.antialiased, kept.radii, kept.grad,
        g_means, g_quats, g_scales, g_opacities,
    )  # fmt: skip
    if options.sh_degree is None:
        g_colours += kept.grad[:, 7:]
        return
    eye = np.linalg.inv(kept.matrix)[:3, 3].copy()
    _spread(
        project.shade_back, count, threads, 4096, means, colours, options.sh_degree, eye, kept.radii, kept.colours,
        kept.grad[:, 7:], g_means, g_colours,
    )  # fmt: skip


class _Rasterize(torch.autograd.Function):
    """The rasteriser as an operation of torch."""

    @staticmethod
    def forward(ctx: Any, options: Options, cameras: Any, kept: list[View], *tensors: Tensor) -> tuple[Tensor, ...]:
        scene = tuple(np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32) for tensor in tensors)
        views, intrinsics, backgrounds = cameras
        images, alphas, depths = [], [], []
        for view, k, background in zip(views, intrinsics, backgrounds, strict=True):
            image, alpha, depth, one = _render(scene, view, k, background, options)
            images.append(image)
            alphas.append(alpha)
            depths.append(depth)
            kept.append(one)
        ctx.scene, ctx.kept, ctx.options = scene, kept, options
        ctx.backgrounds = backgrounds
        results = (np.stack(images), np.stack(alphas)[..., None], np.stack(depths)[..., None])
        return tuple(torch.from_numpy(result) for result in results)

    @staticmethod
    def backward(ctx: Any, g_image: Tensor, g_alpha: Tensor, g_depth: Tensor) -> Any:
        grads = tuple(np.zeros(array.shape, np.float32) for array in ctx.scene)
        given = (g_image.numpy(), g_alpha.numpy()[..., 0], g_depth.numpy()[..., 0])
        for at, kept in enumerate(ctx.kept):
            one = tuple(np.ascontiguousarray(g[at], dtype=np.float32) for g in given)
            _render_back(ctx.scene, kept, ctx.options, (one[0], one[1], one[2]), grads)
        return None, None, None, *(torch.from_numpy(grad) for grad in grads)


def rasterize(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4], wxyz, any length
    scales: Tensor,  # [N, 3], linear
    opacities: Tensor,  # [N], 0..1
    colours: Tensor,  # [N, 3], or spherical harmonics [N, K, 3] where options.sh_degree is set
    views: Array,  # [C, 4, 4], world -> camera
    intrinsics: Array,  # [C, 3, 3], without skew
    options: Options,
    backgrounds: Array | None = None,  # [C, 3]; None: black
) -> tuple[Tensor, Tensor, Tensor, list[View]]:
    """Images [C, H, W, 3], alphas [C, H, W, 1], accumulated depths Σ weight z [C, H, W, 1], and each camera's View.

    Divide the depth by alpha for the expected depth. Differentiable in the five scene tensors. Raises ValueError for a
    wrong shape.
    """
    count = len(means)
    want = {
        "means": (means, (count, 3)),
        "quats": (quats, (count, 4)),
        "scales": (scales, (count, 3)),
        "opacities": (opacities, (count,)),
    }
    for name, (tensor, shape) in want.items():
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} needs shape {shape}, got {tuple(tensor.shape)}")
    degree = options.sh_degree
    if degree is None and tuple(colours.shape) != (count, 3):
        raise ValueError(f"colours need shape {(count, 3)}, got {tuple(colours.shape)}")
    if degree is not None and (not 0 <= degree <= 3 or colours.ndim != 3 or colours.shape[1] < (degree + 1) ** 2):
        raise ValueError(f"degree {degree} (0..3) doesn't fit harmonics of shape {tuple(colours.shape)}")
    views = np.ascontiguousarray(np.asarray(views), dtype=np.float64).reshape(-1, 4, 4)
    intrinsics = np.ascontiguousarray(np.asarray(intrinsics), dtype=np.float64).reshape(-1, 3, 3)
    if backgrounds is None:
        backgrounds = np.zeros((len(views), 3), np.float32)
    backgrounds = np.ascontiguousarray(np.asarray(backgrounds), dtype=np.float32).reshape(-1, 3)
    kept: list[View] = []
    image, alpha, depth = _Rasterize.apply(
        options, (views, intrinsics, backgrounds), kept, means, quats, scales, opacities, colours
    )
    return image, alpha, depth, kept
