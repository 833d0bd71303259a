"""The rasteriser against gsplat's torch path, and stage 2 on a scene whose truth is known.

    python -m bench splat --part raster
    python -m bench splat --part scene [--views 21 --frames 25 --size 256 --iterations 5000] [--json]
    python -m bench splat --part decoupled

raster: CPU seconds of one thread, forward + backward, harmonics of degree 3, one camera. The baseline is gsplat's torch
path with vectorised tile lists and index finder in the place of its CUDA ones (its own needs a GPU).
scene: a body, a head and two arms, textured, each moving by itself, rendered by our renderer; every fourth view is held
out; a static fit's figure stands beside it. decoupled: the same with pictures blurred the more the farther they are from
the reference view and frame, with and without the weighting of canonical gradients; scored on the sharp truth.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import torch

from stereocast.splat import lift, loss, raster
from stereocast.splat.fit import Fit, FitSettings
from stereocast.splat.matrix import Matrix, ring
from stereocast.splat.render import render
from stereocast.splat.scene import Gaussians, from_points, intrinsics, orbit_camera

SIZES = ((50_000, 256), (20_000, 576))


# ---- raster --------------------------------------------------------------------------------------------------------


def cloud(count, seed=0):
    rng = np.random.default_rng(seed)
    arrays = (
        rng.uniform(-0.45, 0.45, (count, 3)), rng.normal(size=(count, 4)), rng.uniform(0.004, 0.02, (count, 3)),
        rng.uniform(0.1, 0.99, count), rng.normal(size=(count, 16, 3)) * 0.2,
    )  # fmt: skip
    return [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in arrays]


def ours(scene, view, k, size, threads=1):
    return raster.rasterize(
        *scene, view[None], k[None], raster.Options(size, size, 3, threads=threads), np.ones((1, 3))
    )[0][0]


def tile_pairs(means2d, radii, size, tile=16):
    """Tile and Gaussian of every overlap, vectorised: what isect_tiles gives."""
    columns = -(-size // tile)
    low = ((means2d - radii) / tile).floor().clamp(0, columns).long()
    high = ((means2d + radii) / tile).ceil().clamp(0, columns).long()
    high = torch.where((radii > 0).all(-1, keepdim=True), high, low)
    span = (high - low).clamp(min=0)
    counts = span[:, 0] * span[:, 1]
    ids = torch.repeat_interleave(torch.arange(len(means2d)), counts)
    within = torch.arange(len(ids)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    x, y = low[ids, 0] + within % span[ids, 0].clamp(min=1), low[ids, 1] + within // span[ids, 0].clamp(min=1)
    return y * columns + x, ids


def index_finder(means2d, conics, opacities, depths, radii, size, tile=16, chunk=4096):
    """Pixel and Gaussian of every contribution, sorted by pixel and depth: what rasterize_to_indices gives."""
    tiles, ids = tile_pairs(means2d, radii, size, tile)
    order = np.lexsort((depths[ids].numpy(), tiles.numpy()))
    tiles, ids = tiles[order], ids[order]
    columns, offsets = -(-size // tile), torch.arange(tile * tile)
    pixels, gaussians, alphas, places = [], [], [], []
    for at in range(0, len(ids), chunk):
        t, g = tiles[at : at + chunk], ids[at : at + chunk]
        x = (t % columns * tile)[:, None] + (offsets % tile)[None]
        y = (t // columns * tile)[:, None] + (offsets // tile)[None]
        dx, dy = x + 0.5 - means2d[g, 0, None], y + 0.5 - means2d[g, 1, None]
        c = conics[g]
        sigma = 0.5 * (c[:, 0, None] * dx * dx + c[:, 2, None] * dy * dy) + c[:, 1, None] * dx * dy
        alpha = (opacities[g, None] * torch.exp(-sigma)).clamp(max=0.999)
        pair, lane = torch.nonzero((alpha >= 1 / 255) & (x < size) & (y < size), as_tuple=True)
        pixels.append(y[pair, lane] * size + x[pair, lane])
        gaussians.append(g[pair])
        alphas.append(alpha[pair, lane])
        places.append(at + pair)
    pixel, gaussian, alpha = torch.cat(pixels), torch.cat(gaussians), torch.cat(alphas)
    order = torch.from_numpy(np.argsort(pixel.numpy(), kind="stable"))
    pixel, gaussian, alpha = pixel[order], gaussian[order], alpha[order]
    keep = transmittance(alpha.double(), pixel) * (1 - alpha.double()) > 1e-4
    return pixel[keep], gaussian[keep]


def transmittance(alpha, pixel):
    """Product of 1 - alpha over everything in front, within each pixel (sorted)."""
    logs = torch.log1p(-alpha)
    before = logs.cumsum(0) - logs
    first = torch.ones_like(pixel, dtype=torch.bool)
    first[1:] = pixel[1:] != pixel[:-1]
    start = before[first][first.cumsum(0) - 1]
    return torch.exp(before - start)


def baseline(scene, view, k, size):
    from gsplat.cuda._torch_impl import _fully_fused_projection, _quat_scale_to_covar_preci, _spherical_harmonics

    means, quats, scales, opacities, sh = scene
    covars, _ = _quat_scale_to_covar_preci(quats, scales, compute_preci=False)
    views, ks = (torch.tensor(a, dtype=torch.float32)[None] for a in (view, k))
    radii, means2d, depths, conics, _ = _fully_fused_projection(means, covars, views, ks, size, size)
    eye = torch.tensor(np.linalg.inv(view)[:3, 3], dtype=torch.float32)
    colours = (_spherical_harmonics(3, means - eye, sh) + 0.5).clamp(min=0)
    with torch.no_grad():
        pixel, g = index_finder(means2d[0], conics[0], opacities, depths[0], radii[0], size)
    delta = torch.stack([pixel % size, pixel // size], -1) + 0.5 - means2d[0][g]
    c = conics[0][g]
    sigma = 0.5 * (c[:, 0] * delta[:, 0] ** 2 + c[:, 2] * delta[:, 1] ** 2) + c[:, 1] * delta[:, 0] * delta[:, 1]
    alpha = (opacities[g] * torch.exp(-sigma)).clamp(max=0.999)
    weight = (alpha.double() * transmittance(alpha.double(), pixel)).float()
    image = torch.zeros(size * size, 3).index_add(0, pixel, weight[:, None] * colours[g])
    alphas = torch.zeros(size * size, 1).index_add(0, pixel, weight[:, None])
    return (image + 1 - alphas).reshape(size, size, 3)


def cpu_seconds(draw, scene, repeats):
    best = (np.inf, np.inf)
    for _ in range(repeats):
        for tensor in scene:
            tensor.grad = None
        begun = time.process_time()
        image = draw()
        middle = time.process_time()
        image.sum().backward()
        best = min(best, (middle - begun, time.process_time() - middle), key=sum)
    return best, image.detach()


def bench_raster(repeats):
    torch.set_num_threads(1)
    view = orbit_camera(0, 16).view
    rows = []
    warm = cloud(100)
    ours(warm, view, intrinsics(32), 32).sum().backward()  # compiles
    for count, size in SIZES:
        scene, k = cloud(count), intrinsics(size)
        (forward, backward), image = cpu_seconds(lambda s=scene, k=k, n=size: ours(s, view, k, n), scene, repeats)
        grads = [tensor.grad.clone() for tensor in scene]
        (f0, b0), reference = cpu_seconds(
            lambda s=scene, k=k, n=size: baseline(s, view, k, n), scene, max(1, repeats - 1)
        )
        apart = max(float((a - t.grad).abs().max() / t.grad.abs().max()) for a, t in zip(grads, scene, strict=True))
        row = {
            "gaussians": count, "size": size, "ours_s": [forward, backward], "baseline_s": [f0, b0],
            "times_faster": (f0 + b0) / (forward + backward), "image_gap": float((image - reference).abs().max()),
            "gradient_gap": apart,
        }  # fmt: skip
        walls = {}
        for threads in (1, 2, 4):
            if threads <= raster.thread_count():
                begun = time.perf_counter()
                for _ in range(repeats):
                    ours(scene, view, k, size, threads).sum().backward()
                walls[threads] = (time.perf_counter() - begun) / repeats
        rows.append(row | {"wall_s_by_threads": walls})
    return rows


# ---- scene ---------------------------------------------------------------------------------------------------------


def ellipsoid(centre, radii, stripes, colour, count, rng):
    """Points on an ellipsoid with a striped texture."""
    points = rng.normal(size=(count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    wave = 0.5 + 0.5 * np.sign(
        np.sin(stripes * points[:, 1]) * np.sin(stripes * np.arctan2(points[:, 0], points[:, 2]))
    )
    colours = np.asarray(colour) * (0.35 + 0.65 * wave[:, None]) + 0.1 * (1 + points) / 2
    return points * radii + centre, np.clip(colours, 0, 1)


def figure(count=4000, seed=0):
    """A body, a head, two arms: points, colours, and the part of each."""
    rng = np.random.default_rng(seed)
    parts = (
        ((0, -0.1, 0), (0.16, 0.26, 0.13), 7, (0.2, 0.4, 0.9)), ((0, 0.27, 0), (0.1, 0.11, 0.1), 6, (0.95, 0.7, 0.5)),
        ((-0.3, 0.02, 0), (0.15, 0.05, 0.05), 8, (0.9, 0.2, 0.2)), ((0.3, 0.02, 0), (0.15, 0.05, 0.05), 8, (0.2, 0.8, 0.3)),
    )  # fmt: skip
    made = [ellipsoid(*part, count if i == 0 else count // 2, rng) for i, part in enumerate(parts)]
    sizes = [len(points) for points, _ in made]
    return (
        np.concatenate([m[0] for m in made]),
        np.concatenate([m[1] for m in made]),
        np.repeat(range(len(made)), sizes),
    )


def pose(points, part, time_):
    """The figure at a time (0..1): arms swing about the shoulders, the head nods, the body sways."""
    out, wave = points.copy(), np.sin(2 * np.pi * time_ * 0.9)

    def swing(which, pivot, axis, angle):
        x, c, s = out[which] - pivot, np.cos(angle), np.sin(angle)
        a, b = {"z": (0, 1), "x": (1, 2), "y": (2, 0)}[axis]
        xa, xb = x[:, a].copy(), x[:, b].copy()
        x[:, a], x[:, b] = c * xa - s * xb, s * xa + c * xb
        out[which] = x + pivot

    swing(part == 1, np.array([0, 0.16, 0]), "x", 0.35 * wave)
    swing(part == 2, np.array([-0.15, 0.02, 0]), "z", 0.6 * wave)
    swing(part == 3, np.array([0.15, 0.02, 0]), "z", 0.6 * wave + 0.2 * (1 - np.cos(2 * np.pi * time_)))
    swing(part >= 0, np.array([0, -0.36, 0]), "z", 0.08 * wave)
    return out


def true_matrix(views, frames, size):
    points, colours, part = figure()
    azimuths, info = ring(views, frames, size)
    images = np.empty((views, frames, size, size, 3), np.uint8)
    masks = np.empty(images.shape[:-1], np.uint8)
    for f in range(frames):
        g = from_points(pose(points, part, f / max(frames - 1, 1)), colours, 0.008, 0.95, 0)
        for v, azimuth in enumerate(azimuths):
            with torch.no_grad():
                seen = render(g, None, 0, [orbit_camera(azimuth, size)])
            images[v, f] = np.rint(seen.rgb[0].clamp(0, 1).numpy() * 255)
            masks[v, f] = np.rint(seen.alpha[0, ..., 0].numpy() * 255)
    return Matrix(images, masks, azimuths, info)


def some_views(matrix, keep):
    return Matrix(
        matrix.images[keep], matrix.masks[keep], tuple(matrix.azimuths_deg[v] for v in keep), matrix.info,
        list(keep).index(matrix.reference_view), matrix.reference_frame,
    )  # fmt: skip


def score(scene, matrix, views):
    """PSNR, SSIM and flicker (mean change of the error from frame to frame, 8-bit levels) on some views."""
    values, similar, flicker = [], [], []
    g = Gaussians(*(tensor.detach() for tensor in scene.gaussians.tensors().values()))
    for v in views:
        before = None
        for f in range(matrix.frames):
            with torch.no_grad():
                seen = render(g, scene.motion, matrix.time(f), [matrix.camera(v)], antialiased=True).rgb.clamp(0, 1)
            truth = torch.from_numpy(matrix.images[v, f][None] / np.float32(255))
            values.append(loss.psnr(seen, truth))
            similar.append(float(loss.ssim(seen, truth)))
            error = seen - truth
            if before is not None:
                flicker.append(float((error - before).abs().mean()) * 255)
            before = error
    return {
        "psnr_db": float(np.mean(values)),
        "ssim": float(np.mean(similar)),
        "flicker": float(np.mean(flicker or [0])),
    }


def settings_for(iterations, device):
    motion = FitSettings().motion if device != "cpu" else replace(lift.small_motion(), width=96)
    return FitSettings(
        iterations=iterations, warm_up=iterations * 3 // 5, degree=1, motion=motion, device=device,
        motion_rate=replace(FitSettings().motion_rate, start=1.6e-3, end=2e-5), initial_points=6000,
        refine_every=max(10, iterations // 50), random_background=False,
    )  # fmt: skip


def fitted(matrix, settings):
    cpu, wall = time.process_time(), time.perf_counter()
    scene = Fit(matrix, settings).run()
    return scene, {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "gaussians": len(scene.gaussians),
    }


def bench_scene(options):
    whole = true_matrix(options.views, options.frames, options.size)
    held = [v for v in range(options.views) if v % 4 == 2]
    train = some_views(whole, [v for v in range(options.views) if v not in held])
    settings = settings_for(options.iterations, options.device)
    scene, cost = fitted(train, settings)
    still = replace(settings, warm_up=options.iterations)
    static, _ = fitted(train, still)
    static.motion = None
    return {"held_out": score(scene, whole, held), "static": score(static, whole, held), **cost}


def blurred(matrix, most=4.0):
    """The matrix as an aggressive stage 1 leaves it: softer, the farther from reference view and frame."""
    import cv2

    images, trust = matrix.images.copy(), matrix.trust(floor=0)
    for v in range(matrix.views):
        for f in range(matrix.frames):
            sigma = most * matrix.size / 256 * (1 - trust[v, f])
            if sigma > 0.1:
                images[v, f] = cv2.GaussianBlur(images[v, f], (0, 0), sigma)
    return replace(matrix, images=images)


def bench_decoupled(options):
    whole = true_matrix(options.views, options.frames, options.size)
    soft, far = blurred(whole), [v for v in range(options.views) if abs(v - options.views / 2) < options.views / 4]
    rows = {}
    for name, on in (("decoupled", True), ("plain", False)):
        settings = settings_for(options.iterations, options.device)
        settings = replace(settings, decoupled=on, canonical_rate=settings.canonical_rate if on else 1.0)
        scene, cost = fitted(soft, settings)
        rows[name] = {**score(scene, whole, far), **cost}
    return rows


def main(argv):
    parser = argparse.ArgumentParser(
        prog="bench splat", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--part", choices=("raster", "scene", "decoupled"), default="raster")
    parser.add_argument("--views", type=int, default=21)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(argv)
    if options.part == "raster":
        result = bench_raster(options.repeats)
    else:
        result = (bench_scene if options.part == "scene" else bench_decoupled)(options)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))
    return 0
