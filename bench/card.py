"""The research path on a CUDA card at the published sizes with random weights: milliseconds and peak memory.

    python -m bench card [--part warp,convert,video,zero,levels,depth,matrix,splat] [--cap GB] [--json]

warp: the exact warp of Appendix B in Triton and in torch beside a copy of the same bytes. convert: both eyes of a film's
frame at 1080p, up to the card, warped, and back, beside the copies alone and the same on the host; then a whole conversion
encoded on the card and on the host. video: one evaluation of DynamiCrafter 1024, encoding and decoding of 16 frames.
zero: StereoCrafter-Zero's whole second view at 1024, 50 steps, `--zero-preset paper`. levels: each --quality of `convert
--synth stereocrafter-zero` at 1024, by second of film. depth: Video Depth Anything at 518 (frames a second), DepthCrafter
at 576x1024 (a window of 110: one step, decoding). matrix: SVD and SV3D on 21 and 25 frames at 576. splat: gsplat, an
iteration of stage 2 and a render. --cap limits this process to that many GB of the GPU (10^9 bytes), as a smaller card
would. Random weights take as long as trained ones; the output is noise.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

DEVICE = "cuda:0"
Row = dict[str, Any]


def timed(what: str, call: Callable[[], Any], times: int = 3, **more: Any) -> Row:
    """Median of `times` calls after one that warms up, and the peak of allocated memory."""
    call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    peak = torch.cuda.max_memory_allocated() / 2**30
    return {"what": what, "ms": round(float(np.median(taken)) * 1e3, 3), "peak_gib": round(peak, 2), **more}


def built(make: Callable[[], Any], dtype: torch.dtype = torch.float16) -> Any:
    """A network with random weights, in half precision on the GPU."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(DEVICE):
            return make().to(DEVICE).eval().requires_grad_(False)  # diffusers makes a few scalars on the host
    finally:
        torch.set_default_dtype(before)


def warp() -> list[Row]:
    from stereocast.kernels import cuda

    rows = []
    for height, width in ((512, 512), (1080, 1920)):
        source = torch.randint(0, 255, (3, height, width), dtype=torch.uint8, device=DEVICE)
        depth = torch.rand(height, width, device=DEVICE)
        for name, triton in (("Triton", True), ("torch", False)):

            def call(triton: bool = triton, source: Any = source, depth: Any = depth) -> None:
                for _ in range(50):
                    cuda.warp_exact(source, depth, 4.0, triton=triton)

            row = timed(f"exact warp {height}x{width}, {name}", call)
            rows.append({**row, "ms": round(row["ms"] / 50, 4)})
        row = timed(f"a copy of {height}x{width}x3", lambda source=source: [source.clone() for _ in range(50)])
        rows.append({**row, "ms": round(row["ms"] / 50, 4)})
    return rows


def both_eyes(planes: Any, disparity: Any) -> list[Any]:
    """Both views of a picture's planes [P, H, W] by half the disparity [H, W], where the arrays are."""
    from bench import subpixel
    from stereocast.kernels import cpu

    warped = subpixel.warp_subpixel if isinstance(planes, torch.Tensor) else cpu.warp_subpixel
    return [warped(planes, disparity, 0.5, mirror)[0] for mirror in (False, True)]


def scene(height: int, width: int) -> tuple[list[Any], list[Any]]:
    """Luma and chroma [P, H, W] of a noisy picture, and their disparities: a slope with near boxes before it."""
    random = np.random.default_rng(0)
    depth = np.linspace(-10, 0, height, dtype=np.float32)[:, None].repeat(width, 1)
    for _ in range(8):
        y, x = random.integers(0, height // 2), random.integers(0, width // 2)
        depth[y : y + height // 4, x : x + width // 8] = random.uniform(5, 20)
    shapes = (1, height, width), (2, height // 2, width // 2)
    return [random.integers(16, 235, shape).astype(np.uint8) for shape in shapes], [depth, depth[::2, ::2] / 2]


def convert() -> list[Row]:
    from bench import film
    from bench.convert import SHARED
    from bench.convert import convert as whole

    planes, depths = scene(1080, 1920)
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in (*planes, *depths)]

    def there_and_back(warped: bool) -> None:
        luma, chroma, depth, small = (tensor.to(DEVICE) for tensor in tensors)
        for layer, map_ in ((luma, depth), (chroma, small)):
            for view in both_eyes(layer, map_) if warped else (layer, layer):
                view.cpu()

    begin = time.process_time()
    for layer, map_ in zip(planes, depths, strict=True):
        both_eyes(layer, map_)  # compiles
    begin = time.process_time()
    for layer, map_ in zip(planes, depths, strict=True):
        both_eyes(layer, map_)
    host = {
        "what": "both eyes at 1080p on the host, one thread, no fill",
        "ms": round((time.process_time() - begin) * 1e3, 1),
    }
    rows = [
        timed("both eyes at 1080p: to the card, warped, back; no fill", lambda: there_and_back(True), 20),
        timed("the copies alone", lambda: there_and_back(False), 20),
        host,
    ]
    with tempfile.TemporaryDirectory() as folder:
        clip = film.make(film.sources(None, SHARED), Path(folder) / "film.mp4", 1080, 5)
        for encoder in ("x264", "h264-nvenc", "hevc-nvenc"):
            made = whole(clip, Path(folder) / "out.mp4", ["--encoder", encoder])
            rows.append({"what": f"a frame of a whole conversion, 1080p to SBS, {encoder}", "ms": round(1e3 / made["fps"], 1),
                         "cpu_ms": made["cpu_ms"], "stage_wall_ms": made["stage_wall_ms"]})  # fmt: skip
    return rows


def _video_model() -> Any:
    from stereocast.models.video import VideoConfig, VideoModel, VideoNetworks

    config = VideoConfig.published("1024")
    networks = built(lambda: VideoNetworks(config))
    for name, values in config.schedule().buffers().items():
        networks.register_buffer(name, torch.from_numpy(values).to(DEVICE))
    return VideoModel(networks, config, DEVICE)


def _conditions(model: Any) -> Any:
    picture = torch.rand(3, 576, 1024) * 2 - 1
    return model.conditions("a boat", picture, picture, frames=16, fs=10)


def video() -> list[Row]:
    model = _video_model()
    held = torch.cuda.memory_allocated() / 2**30
    conditions = _conditions(model)
    x = torch.randn(1, 4, 16, 72, 128, device=DEVICE)
    pictures = torch.rand(16, 3, 576, 1024) * 2 - 1
    return [
        timed("DynamiCrafter 1024, one evaluation", lambda: model.predict(x, 500, conditions, "cond"), weights_gib=round(held, 2)),
        timed("DynamiCrafter 1024, encoding 16 frames", lambda: model.encode(pictures, None)),
        timed("DynamiCrafter 1024, decoding 16 frames", lambda: model.decode(x)),
    ]  # fmt: skip


def zero() -> list[Row]:
    from stereocast.gen.diffusion import DiffusionSource
    from stereocast.settings import GenSettings
    from stereocast.stereo import diffuse

    model = _video_model()
    conditions = _conditions(model)
    source = DiffusionSource(model, GenSettings())
    second = diffuse.SecondView(model, conditions, source.steps, source.settings)
    maps = np.broadcast_to(np.linspace(0, 1, 576, dtype=np.float32)[:, None], (16, 576, 1024))
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    film = source.trajectory(conditions, network=second.left)
    torch.cuda.synchronize()
    left = time.perf_counter() - begin
    first = source.decoded(film.levels[-1])
    right = second.views(film.levels, film.noise, first, maps)[1]
    source.decoded(right)
    torch.cuda.synchronize()
    whole = time.perf_counter() - begin
    peak = torch.cuda.max_memory_allocated() / 2**30
    what = "stereo clip of 16 frames at 1024, 50 steps, both views"
    return [{"what": what, "ms": round(whole * 1e3), "peak_gib": round(peak, 2), "first_view_ms": round(left * 1e3)}]


def moving(frames: int, height: int, width: int) -> tuple[Any, Any]:
    """A disc that crosses a textured wall: RGB pictures and their depth, 1 near."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    wall = np.random.default_rng(1).integers(40, 216, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)
    pictures, maps = [], []
    for number in range(frames):
        across = width * (0.3 + 0.4 * number / frames)
        disc = (rows - height / 2) ** 2 + (columns - across) ** 2 < (height / 4) ** 2
        pictures.append(np.where(disc[..., None], (200, 80, 60), wall[:height, :width]).astype(np.uint8))
        maps.append(np.where(disc, 0.9, 0.2 + 0.2 * rows / height).astype(np.float32))
    return np.stack(pictures), np.stack(maps)


def level(model: Any, quality: str, size: tuple[int, int], rate: int = 25, **options: Any) -> Row:
    """Wall time of the second view of three windows at one --quality, by second of film; the left view's included."""
    from stereocast.catalog import settle
    from stereocast.settings import ConvertSettings
    from stereocast.stereo.diffuse_film import ZeroSynthesizer
    from stereocast.types import Clip, DepthMap, PixelFormat, StreamInfo

    settings = settle(ConvertSettings, {"synth": "stereocrafter-zero", "quality": quality, "strength": 3.0, **options})
    frames = settings.zero_window + 2 * (settings.zero_window - settings.zero_overlap)
    pictures, maps = moving(frames, *size)
    info = StreamInfo(size[1], size[0], Fraction(1, rate), Fraction(rate), PixelFormat.RGB24)
    made = ZeroSynthesizer(settings, info, model)
    evaluate, count = model.predict, 0

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        return evaluate(*given, **more)

    model.predict = counted
    begin = time.perf_counter()
    try:
        clip = Clip(pictures, np.arange(frames), first=True, last=True)
        done = sum(len(view.right) for view in made([(clip, DepthMap(maps))]))
    finally:
        del model.predict
    assert done == frames
    taken = time.perf_counter() - begin
    seconds = frames / rate
    return {"what": f"--quality {quality}, a second of film at {rate} fps, {size[1]}x{size[0]}", "ms": round(taken / seconds * 1e3),
            "evaluations": round(count / seconds)}  # fmt: skip


def levels() -> list[Row]:
    model, rows = _video_model(), []
    for quality in ("draft", "good", "paper"):
        torch.cuda.reset_peak_memory_stats()
        row = level(model, quality, (576, 1024), device=DEVICE)
        rows.append({**row, "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)})
    return rows


def capped(gigabytes: float) -> None:
    """Leaves this process that much of the card. Raises ValueError where the card has less."""
    total = torch.cuda.mem_get_info(DEVICE)[1]
    if gigabytes * 1e9 > total:
        raise ValueError(f"--cap {gigabytes:g}: the card has {total / 1e9:.0f} GB")
    torch.cuda.set_per_process_memory_fraction(gigabytes * 1e9 / total, DEVICE)


def depth() -> list[Row]:
    from stereocast.models.video_depth_anything import VARIANTS, VideoDepthAnything

    rows = []
    frames = torch.rand(32, 3, 518, 924, device=DEVICE)
    for name, config in VARIANTS.items():
        network = VideoDepthAnything(config).to_half(torch.float16).to(DEVICE).eval().requires_grad_(False)

        def call(network: Any = network) -> None:
            with torch.inference_mode():
                levels = [network.encode(part.half()) for part in frames.split(8)]
                network([torch.cat(level) for level in zip(*levels, strict=True)])

        row = timed(f"Video Depth Anything {name}, window of 32 at 518x924", call)
        rows.append({**row, "new_frames_per_s": round(22 / row["ms"] * 1e3, 1)})
        del network
    return rows + _crafter()


def _plain(call: Callable[..., Any], *given: Any) -> Any:
    with torch.inference_mode():
        return call(*given)


def _crafter() -> list[Row]:
    from diffusers import AutoencoderKLTemporalDecoder
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from stereocast.models import depthcrafter, svd

    unet = built(lambda: depthcrafter.DepthCrafterUNet(**svd.full_config(), in_channels=8, num_frames=25))
    vae = built(lambda: AutoencoderKLTemporalDecoder(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
    ))  # fmt: skip
    tower = CLIPVisionConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16, patch_size=14,
        projection_dim=1024,
    )  # fmt: skip
    networks = depthcrafter.Networks(unet, vae, built(lambda: CLIPVisionModelWithProjection(tower)), DEVICE)
    rows, weights = [], torch.cuda.memory_allocated()
    for rows_, columns in ((512, 1024), (576, 1024)):
        images = torch.randn(110, 4, rows_ // 8, columns // 8, device=DEVICE, dtype=torch.float16)
        tokens = torch.randn(110, 1024, device=DEVICE, dtype=torch.float16)
        row = timed(
            f"DepthCrafter, one step, 110 frames at {rows_}x{columns}",
            lambda images=images, tokens=tokens: _plain(networks.predict, images[None].float(), 0.5, tokens, images, 0.02), 1,
        )  # fmt: skip
        used = (torch.cuda.max_memory_allocated() - weights) / (110 * (rows_ // 8) * (columns // 8))
        rows.append({**row, "bytes_per_latent_pixel": round(used), "assumed": depthcrafter.BYTES_PER_LATENT_PIXEL})
        del images
    pictures = torch.rand(8, 3, 576, 1024, device=DEVICE) * 2 - 1
    latents = torch.randn(8, 4, 72, 128, device=DEVICE, dtype=torch.float16)
    rows.append(
        timed(
            "DepthCrafter, encoding and tokens of 8 frames",
            lambda: (_plain(networks.encode, pictures), _plain(networks.tokens, pictures)),
        )
    )
    rows.append(timed("DepthCrafter, decoding 8 frames", lambda: _plain(networks.decode, latents)))
    return rows


def matrix() -> list[Row]:
    from stereocast.models import svd

    rows = []
    for name, vector, frames in (("SVD", 768, 25), ("SV3D", 1280, 21)):
        unet = built(lambda vector=vector: svd.build_unet(svd.full_config(), vector), torch.bfloat16)
        x = torch.randn(frames, 8, 72, 72, device=DEVICE, dtype=torch.bfloat16)
        levels = torch.full((frames,), 0.5, device=DEVICE)
        tokens = torch.randn(1, 1, 1024, device=DEVICE, dtype=torch.bfloat16)
        codes = torch.randn(frames, vector, device=DEVICE, dtype=torch.bfloat16)

        def call(unet: Any = unet, args: Any = (x, levels, tokens, codes, frames)) -> None:
            with torch.no_grad():
                unet(*args)

        rows.append(timed(f"{name}, one evaluation of {frames} frames at 576", call))
        del unet
    return rows


def splat() -> list[Row]:
    from stereocast.splat import loss, render
    from stereocast.splat.scene import orbit_camera

    rng = np.random.default_rng(0)
    rows = []
    for count, size in ((50_000, 256), (20_000, 576), (100_000, 1080)):
        arrays = (
            rng.uniform(-0.45, 0.45, (count, 3)), rng.normal(size=(count, 4)), rng.uniform(0.004, 0.02, (count, 3)),
            rng.uniform(0.1, 0.99, count), rng.normal(size=(count, 16, 3)) * 0.2,
        )  # fmt: skip
        given = [torch.tensor(a, dtype=torch.float32, device=DEVICE, requires_grad=True) for a in arrays]
        camera, target = [orbit_camera(30, size, 10)], torch.rand(1, size, size, 3, device=DEVICE)

        def step(given: Any = given, camera: Any = camera, target: Any = target) -> None:
            seen = render.rasterize(tuple(given[:3]), given[3], given[4], camera)
            loss.photometric(seen.rgb, target).backward()

        def look(given: Any = given, camera: Any = camera) -> None:
            with torch.no_grad():
                render.rasterize(tuple(given[:3]), given[3], given[4], camera)

        rows.append(timed(f"gsplat, {count} at {size}², render, loss and gradients", step, 20))
        rows.append(timed(f"gsplat, {count} at {size}², a render", look, 20))
    return rows


PARTS = {
    "warp": warp,
    "convert": convert,
    "video": video,
    "zero": zero,
    "levels": levels,
    "depth": depth,
    "matrix": matrix,
    "splat": splat,
}


def main(argv: list[str]) -> int:
    """One line a row; parts that fail are said and don't stop the others."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench card", description=__doc__, formatter_class=shape)
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--cap", type=float, help="GB of the card that this process may use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if not torch.cuda.is_available():
        print("needs a CUDA device")
        return 2
    torch.manual_seed(0)
    if options.cap:
        capped(options.cap)
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}", flush=True)
    failed = 0
    for part in options.part.split(","):
        try:
            rows = PARTS[part]()
        except Exception as error:
            print(f"{part}: {type(error).__name__}: {error}", flush=True)
            failed += 1
            continue
        finally:
            torch.cuda.empty_cache()
        for row in rows:
            rest = ", ".join(f"{k} {v}" for k, v in row.items() if k not in ("what", "ms"))
            print(json.dumps(row) if options.json else f"{row['what']}: {row['ms']} ms, {rest}", flush=True)
    return failed
