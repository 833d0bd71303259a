"""What surrounds depth networks, without their weights: sizes, windows, noise, memory, choices, pieces and clips."""

import logging
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")
pytest.importorskip("transformers", reason="needs the depth extra")

from stereocast.depth import (  # noqa: E402
    choice,
    crafter,
    depthcrafter,
    dissolve,
    frames,
    headroom,
    image,
    refine,
    steady,
    windowed,
)
from stereocast.depth import video_depth_anything as vda  # noqa: E402
from stereocast.diffusion import edm  # noqa: E402
from stereocast.errors import OutOfMemory, UsageError  # noqa: E402
from stereocast.models import weights  # noqa: E402
from stereocast.models.budget import Share  # noqa: E402
from stereocast.pictures.devices import Device  # noqa: E402
from stereocast.settings import ConvertSettings, EstimatorSettings, GenSettings  # noqa: E402
from tests.contracts import suites  # noqa: E402

GB = 10**9


@pytest.fixture(autouse=True)
def nothing_to_release(monkeypatch):
    """Collecting garbage takes longer than these tests."""
    monkeypatch.setattr(headroom, "release", lambda device: None)


@pytest.mark.parametrize(
    ("size", "short", "multiple", "found"),
    [
        ((1080, 1920), 518, 14, (518, 924)), ((480, 640), 518, 14, (518, 686)), ((640, 480), 518, 14, (686, 518)),
        ((100, 100), 30, 14, (42, 42)), ((100, 100), 28, 14, (28, 28)), ((100, 133), 28, 14, (28, 42)),
        ((100, 120), 28, 14, (28, 28)), ((100, 100), 35, 14, (42, 42)), ((10, 1000), 14, 14, (14, 1400)),
    ],
)  # fmt: skip
def test_sizes_of_at_least_the_short_side(size, short, multiple, found):
    assert frames.size_at_least(*size, short, multiple) == found


def test_pictures_are_normalised():
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 6, 8, 3)).astype(np.float32)
    for given, (mean, std) in (((), frames.IMAGENET), ((frames.HALVES,), frames.HALVES)):
        found = frames.normalised(pictures, (6, 8), *given)
        assert found.shape == (2, 3, 6, 8) and found.dtype == torch.float32
        assert found[1, 2].numpy() == pytest.approx((pictures[1, ..., 2] - mean[2]) / std[2], abs=1e-5)
    assert frames.IMAGENET == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert frames.HALVES == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert frames.normalised(pictures, (12, 10)).shape == (2, 3, 12, 10)


@pytest.mark.parametrize(
    ("count", "least", "half"),
    [(16, 4, 8), (9, 4, 4), (7, 4, 4), (5, 4, 4), (4, 4, None), (3, 4, None), (2, 1, 1), (1, 1, None)],
)
def test_half_of_the_frames(count, least, half, caplog):
    if half is None:
        with pytest.raises(OutOfMemory, match=f"windows of {count} frames"):
            headroom.smaller(count, least, "cpu", MemoryError())
    else:
        assert headroom.smaller(count, least, "cpu", MemoryError()) == half
        assert f"with {count} frames at a time; trying {half}" in caplog.text


@pytest.mark.parametrize(
    ("limit", "calls"),
    [(8, [8]), (4, [8, 4, 4]), (3, [8, 4, 2, 2, 4, 2, 2]), (1, [8, 4, 2, 1, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1])],
)
def test_batches_in_halves(limit, calls):
    asked = []

    def call(batch):
        asked.append(len(batch))
        if len(batch) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return batch * 2

    assert headroom.in_halves(call, torch.arange(8), "cpu").tolist() == list(range(0, 16, 2))
    assert asked == calls
    with pytest.raises(RuntimeError, match="shapes"):
        headroom.in_halves(lambda batch: (_ for _ in ()).throw(RuntimeError("shapes")), torch.arange(8), "cpu")


@pytest.mark.parametrize(
    ("precision", "device", "found"),
    [
        ("auto", "cpu", "float32"), ("auto", "mps", "float32"), ("auto", "cuda:1", "float16"), ("fp32", "cuda:0", "float32"),
        ("bf16", "cpu", "bfloat16"), ("fp16", "cuda:0", "float16"), ("fp16", "mps", "float16"),
    ],
)  # fmt: skip
def test_precisions(precision, device, found):
    assert headroom.dtype_for(precision, device) == getattr(torch, found)
    with pytest.raises(UsageError, match="needs a GPU"):
        headroom.dtype_for("fp16", "cpu")


@pytest.mark.parametrize(
    ("wanted", "device", "free", "found"),
    [
        ("auto", "cpu", 0, "none"), ("auto", "cuda:0", 301, "none"), ("auto", "cuda:0", 300, "model"), ("auto", "cuda:0", 101, "model"),
        ("auto", "cuda:0", 100, "sequential"), ("none", "cuda:0", 0, "none"), ("sequential", "cpu", 999, "sequential"), ("auto", "a", 999, "none"),
    ],
)  # fmt: skip
def test_how_weights_are_offloaded(wanted, device, free, found, monkeypatch, caplog):
    monkeypatch.setattr(headroom.devices, "free_bytes", lambda device: free)
    caplog.set_level(logging.INFO)
    assert headroom.offload_for(wanted, device, 100) == found
    monkeypatch.setattr(headroom.devices, "free_bytes", lambda device: 5_670_000_000)
    headroom.offload_for("auto", "cuda:0", GB)
    assert "5.7 GB free on cuda:0" in caplog.text


@pytest.mark.parametrize(
    ("kind", "options", "there", "steps"),
    [
        (ConvertSettings, {}, False, 0),
        (ConvertSettings, {"synth": "stereocrafter-zero"}, False, 45),
        (ConvertSettings, {"synth": "stereocrafter-zero", "model": "512"}, False, 40),
        (ConvertSettings, {"synth": "stereocrafter-zero", "model": "256"}, False, 0),
        (ConvertSettings, {"synth": "stereocrafter-zero", "depth": "embedded"}, False, 0),
        (ConvertSettings, {"synth": "stereocrafter-zero", "dissolve": 7}, False, 7),
        (ConvertSettings, {"synth": "stereocrafter-zero", "dissolve": 0}, False, 0),
        (GenSettings, {"model": "1024"}, False, 45),
        (GenSettings, {"model": "camera"}, True, 0),
        (GenSettings, {"model": "auto"}, True, 45),
        (GenSettings, {"model": "auto"}, False, 0),
        (EstimatorSettings, {}, True, 0),
    ],
    ids=str,
)
def test_the_papers_dissolve(kind, options, there, steps, monkeypatch):
    monkeypatch.setattr(weights.WeightStore, "has", lambda self, name: there)
    settings = kind(**{"depth": "depthcrafter", **options})
    assert choice.dissolve_of(settings) == steps
    assert choice.dissolves(settings) == (steps > 0)
    given = settings.dissolve is not None
    papers = options.get("synth") == "stereocrafter-zero" and "depth" not in options or steps and not given
    assert choice.guidance_of(settings) == (1.2 if papers else 1.0)
    assert choice.guidance_of(settings.model_copy(update={"depth_guidance": 3.0})) == 3.0
    assert choice.dissolves(settings.model_copy(update={"dissolve_sigma": 0.1}))


@pytest.mark.parametrize(("given", "name"), [((), "embedded"), (("small",), "small"), (("small", "large"), "small")])
def test_why_an_estimator_was_chosen(given, name, monkeypatch):
    monkeypatch.setattr(
        weights.WeightStore, "has", lambda self, found: found.rsplit("-", 1)[1] in given and "v2" not in found
    )
    monkeypatch.setattr("stereocast.registry.Backend.missing", ())
    monkeypatch.setattr(choice.devices, "choose_device", lambda wanted="auto": Device("cpu", ""))
    found, reason = choice.resolve(ConvertSettings())
    assert found.removeprefix("video-depth-anything-") == name
    assert ("models download" in reason) == (name == "embedded")
    assert choice.resolve(ConvertSettings(depth="embedded")) == ("embedded", "requested")
    asked = []
    monkeypatch.setattr(weights.WeightStore, "require", lambda self, name: asked.append(name))
    for depth, wanted in (
        ("embedded", ["depthcrafter"]),
        ("depthcrafter", ["depthcrafter"]),
        ("depth-pro", ["depth-pro", "depthcrafter"]),
    ):
        choice.resolve(ConvertSettings(depth=depth, dissolve=20))
        assert asked == wanted
        asked.clear()


@pytest.mark.parametrize(
    ("size", "longest", "found"),
    [
        ((1080, 1920), 1024, (576, 1024)), ((576, 1000), 1024, (576, 1024)), ((100, 2000), 1024, (64, 1024)),
        ((352, 352), 1024, (384, 384)), ((351, 351), 1024, (320, 320)), ((1080, 1920), 512, (256, 512)),
    ],
)  # fmt: skip
def test_sizes_in_multiples_of_64(size, longest, found):
    assert crafter.network_size(*size, longest) == found
    assert crafter.MAX_SIDE == 1024


@pytest.mark.parametrize(
    ("window", "overlap", "fits"),
    [(110, 25, True), (5, 4, True), (5, 5, False), (5, 6, False), (5, 0, True), (5, -1, False)],
)
def test_windows_and_overlaps(window, overlap, fits):
    if fits:
        assert crafter.Options(window=window, overlap=overlap).chunk == 8
        return
    with pytest.raises(ValueError, match="must be smaller"):
        crafter.Options(window=window, overlap=overlap)


@pytest.mark.parametrize(("free", "frames_"), [(100, 100), (110, 110), (111, 110), (3, 4)])
def test_windows_that_fit(free, frames_, monkeypatch):
    monkeypatch.setattr(crafter.depthcrafter, "BYTES_PER_LATENT_PIXEL", 1000)
    cost = 72 * 128 * 1000
    seen = []
    monkeypatch.setattr(crafter.devices, "frames_that_fit", lambda *given, **limits: seen.append((given, limits)) or 33)
    assert crafter.window_for((576, 1024), "cuda:0", 2) == 33
    assert crafter.window_for((576, 1024), "cpu", 4) == 33
    assert seen[0] == ((cost, "cuda:0"), {"at_least": 4, "at_most": 110})
    assert seen[1][0] == (2 * cost, "cpu")
    share = Share(int(free * cost / 0.8) + 1, 0, 0)
    assert crafter.window_for((576, 1024), "cuda:0", 2, share=share) == frames_


@pytest.mark.parametrize(
    ("given", "window", "overlap"), [(None, 77, 19), (8, 8, 2), (100, 100, 25), (400, 400, 25), (110, 110, 25)]
)
def test_options_of_a_film(given, window, overlap, monkeypatch):
    monkeypatch.setattr(crafter, "window_for", lambda *_, **__: 77)
    found = crafter.options_for(EstimatorSettings(depth_window=given, depth_steps=3), (64, 64), "cpu", 4)
    assert (found.window, found.overlap, found.steps, found.guidance) == (window, overlap, 3, 1.0)


def test_the_published_tools_options():
    found = crafter.Options()
    assert (found.steps, found.guidance, found.window, found.overlap) == (5, 1.0, 110, 25)
    assert (found.chunk, found.strength) == (8, 0.02)


def test_the_decoders_range():
    decoded = torch.tensor([-3, -1, 0, 0.5, 1, 9.0]).view(1, 1, 1, 6).repeat(1, 3, 1, 1)
    assert crafter.to_depth(decoded).flatten().tolist() == [0, 0, 0.5, 0.75, 1, 1]
    mixed = torch.tensor([-1.0, 0, 1]).view(1, 3, 1, 1)
    assert float(crafter.to_depth(mixed)) == 0.5
    pixels = crafter.to_pixels(np.array([0, 0.25, 1], np.float32).reshape(1, 1, 1, 3), "cpu")
    assert pixels.shape == (1, 3, 1, 1) and pixels.flatten().tolist() == [-1, -0.5, 1]


def test_noise_of_conditions_and_weights_of_an_overlap():
    class Networks:
        def tokens(self, pictures):
            return pictures.mean()

        def encode(self, pictures):
            return pictures

    ones = torch.ones(2, 3, 4, 4)
    tokens, images = crafter.conditions(Networks(), ones, ones * 5, 0.02)
    assert float(tokens) == 1.0
    assert images.unique().tolist() == pytest.approx([1.1])
    assert crafter.ramp(5, ones).flatten().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert crafter.ramp(5, ones).shape == (5, 1, 1, 1)


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_guided_steps(guidance):
    """The prediction without conditions is subtracted, if there is guidance at all."""
    asked = []

    class Networks:
        def predict(self, scaled, level, tokens, images, strength):
            asked.append((float(tokens.sum()), float(images.sum()), strength))
            return torch.full_like(scaled, 2.0 if tokens.sum() else 1.0)

    options = crafter.Options(steps=2, guidance=guidance, strength=0.1)
    x = torch.ones(3, 4, 2, 2) * 700
    steps = list(crafter.denoise(Networks(), options, x, torch.ones(3, 5), torch.ones(3, 4, 2, 2)))
    assert len(steps) == 2
    assert asked == [(15, 48, 0.1), *([(0, 0, 0.1)] if guidance > 1 else [])] * 2
    cond = 2.0 if guidance == 1 else 1 + guidance * (2 - 1)
    sigmas = edm.karras_sigmas(2).tolist()
    state = x[None]
    for sigma, following, step in zip(sigmas, sigmas[1:], steps, strict=False):
        assert torch.allclose(step.scaled, state / (sigma**2 + 1) ** 0.5)
        state = edm.euler_step(state, edm.denoised(torch.full_like(state, cond), state, sigma), sigma, following)
        assert torch.allclose(step.latents, state, rtol=1e-5)
        assert (step.uncond is None) == (guidance == 1)


@pytest.mark.parametrize(
    ("chunk", "pushed", "groups"),
    [(4, [1, 2, 3, 4], [4, 4, 2]), (4, [4, 4], [4, 4]), (3, [10], [3, 3, 3, 1]), (5, [2], [2])],
)
def test_decoded_groups_count_from_the_start(chunk, pushed, groups):
    asked = []
    networks = SimpleNamespace(decode=lambda latents: asked.append(len(latents)) or latents[:, :3], device="cpu")
    decoder, out, at = crafter.Decoder(networks, chunk), [], 0
    for count in pushed:
        out += decoder.push(torch.arange(at, at + count).view(-1, 1, 1, 1) / 20 * torch.ones(count, 4, 2, 2))
        at += count
    out += decoder.finish()
    assert list(decoder.finish()) == []
    assert asked == groups
    values = np.concatenate(out)[:, 0, 0]
    assert values == pytest.approx(np.minimum(1, np.arange(at) / 40 + 0.5))


def test_one_shots_frames_keep_their_numbers():
    numbers, seen = [], []

    class Noise:
        def image(self, frame, shape):
            numbers.append(frame)
            return torch.full(shape, float(frame))

        def latent(self, slot, shape):
            return torch.zeros(shape)

    networks = SimpleNamespace(
        tokens=lambda p: torch.zeros(len(p), 2), encode=lambda p: seen.append(len(p)) or p, device="cpu"
    )
    shot = crafter.CrafterShot(networks, crafter.Options(window=99, overlap=2, chunk=4), Noise())
    for count in (6, 3):
        list(shot.push(np.zeros((count, 2, 2, 3), np.float32)))
    assert numbers == list(range(9))
    assert seen == [4, 2, 3]


def test_kept_windows_are_those_of_the_shot():
    kept = {}
    keeper = SimpleNamespace(
        load=lambda place, pts: kept.get(place), save=lambda place, pts, arrays: kept.update({place: arrays})
    )
    crafter.Keep(keeper, 3).save(2, np.arange(1), torch.ones(1, 4, 2, 2))
    assert list(kept) == [(3, 2)]
    found = crafter.Keep(keeper, 3).load(2, np.arange(1))
    assert found is not None and float(found.sum()) == 16
    kept[(3, 2)] = {"other": np.ones(1)}
    assert crafter.Keep(keeper, 3).load(2, np.arange(1)) is None
    assert crafter.Keep().load(2, np.arange(1)) is None
    crafter.Keep().save(2, np.arange(1), torch.ones(1))
    assert crafter.Keep().shot == 0


@pytest.mark.parametrize(
    ("options", "held"),
    [({}, 118), ({"dissolve": 20}, 228), ({"depth_window": 20}, 28), ({"depth_window": 20, "dissolve": 9}, 48)],
)
@pytest.mark.parametrize(("device", "own"), [("cpu", 4_500_000_000), ("cuda:0", 0)])
def test_frames_that_depthcrafter_holds(options, held, device, own, monkeypatch):
    monkeypatch.setattr(depthcrafter.devices, "choose_device", lambda wanted: Device(device, ""))
    networks = SimpleNamespace(device=device, dtype=torch.float32)
    monkeypatch.setattr(depthcrafter, "open_networks", lambda settings: networks)
    monkeypatch.setattr(crafter, "window_for", lambda *_, **__: 110)
    settings = ConvertSettings(depth="depthcrafter", **options)
    cost = depthcrafter.DepthCrafter.cost(settings, suites.info())
    made = depthcrafter.DepthCrafter(settings, suites.info())
    assert (cost.frames, cost.own, made.held) == (held, own, held)
    assert made.shape == (64, 128)
    shot = made.begin(4)
    assert (shot._after is not None) == ("dissolve" in options)
    assert shot.sampler._keep.shot == 4


def test_a_dissolver_of_other_depth_says_what_it_holds(monkeypatch):
    monkeypatch.setattr(dissolve, "open_networks", lambda settings: SimpleNamespace(device="cpu", dtype=torch.float32))
    monkeypatch.setattr(crafter, "window_for", lambda *_, **__: 110)
    for options, held, shape in (({}, 118, (64, 128)), ({"depth_window": 20, "depth_size": 64}, 28, (64, 64))):
        made = refine.Dissolve(EstimatorSettings(dissolve=20, **options), suites.info())
        assert (made.held, made._maker.shape) == (held, shape)
    with pytest.raises(UsageError, match="nothing to dissolve"):
        dissolve.ForeignDissolve(EstimatorSettings(depth="embedded"), 64, 96)
    wide = dissolve.ForeignDissolve(EstimatorSettings(dissolve=20), 2000, 4000)
    assert wide.shape == (512, 1024)


@pytest.mark.parametrize(
    ("options", "sigma"),
    [
        ({"dissolve": 1}, 0.002), ({"dissolve": 50}, 700.0), ({"dissolve": 49, "dissolve_scale": "index"}, 0.002),
        ({"dissolve": 1, "dissolve_scale": "vp"}, 0.2), ({"dissolve": 50, "dissolve_scale": "vp"}, 14.6146),
        ({"dissolve": 49, "dissolve_scale": "vp"}, 13.2047), ({"dissolve_sigma": 0.7, "dissolve": 20}, 0.7), ({"dissolve": 0}, None), ({}, None),
    ],
    ids=str,
)  # fmt: skip
def test_how_strongly_depth_is_dissolved(options, sigma):
    found = dissolve.recipe(EstimatorSettings(**options))
    if sigma is None:
        assert found is None
        return
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    if options.get("dissolve_scale") == "vp":
        at = {1: 21, 49: 981, 50: 999}[options["dissolve"]]
        sigma = (1 / np.cumprod(1 - betas)[at] - 1) ** 0.5
    assert found.sigma == pytest.approx(sigma, rel=1e-4)
    assert found.input == "official"
    for scale, bad in (
        (dissolve.sigma_at, 50),
        (dissolve.sigma_at, -1),
        (dissolve.sigma_vp, 0),
        (dissolve.sigma_vp, 51),
        (dissolve.sigma_of, 0),
        (dissolve.sigma_of, 51),
    ):
        with pytest.raises(UsageError, match="outside"):
            scale(bad)


@pytest.mark.parametrize("kind", ["official", "noised", "literal"])
def test_one_call_dissolves(kind):
    """The network answers with half of what it sees."""
    sigma, asked = 3.0, []

    class Networks:
        def predict(self, seen, level, tokens, images, strength):
            asked.append((seen, level, strength))
            return seen / 2

    x0, noise = torch.full((2, 4, 2, 2), 0.8), torch.full((2, 4, 2, 2), 0.1)
    given = crafter.Frames(x0, torch.zeros(2, 5), torch.zeros(2, 4, 2, 2))
    found = dissolve.dissolve(Networks(), dissolve.Recipe(sigma, kind), given, noise, 0.02)
    c_in, c_skip, c_out = 10**-0.5, 0.1, -3 / 10**0.5
    if kind == "literal":
        wanted, seen = c_in * 0.8 - 0.9**0.5 * 0.4, 0.8
    else:
        y = 0.8 + (0.3 if kind == "noised" else 0)
        wanted, seen = c_skip * y + c_out * c_in * y / 2, c_in * y
    assert found.flatten().tolist() == pytest.approx([wanted] * 32, abs=1e-5)
    (saw, level, strength) = asked[0]
    assert (float(saw.mean()), level, strength) == pytest.approx((seen, np.log(3) / 4, 0.02), abs=1e-5)
    if kind == "noised":
        with pytest.raises(ValueError, match="needs noise"):
            dissolve.dissolve(Networks(), dissolve.Recipe(sigma, kind), given, None, 0.02)


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ((1080, 1920), (518, 924)), ((518, 922), (518, 924)), ((1000, 1790), (518, 924)), ((800, 1920), (378, 910)),
        ((1920, 800), (910, 378)), ((100, 4000), (28, 1120)), ((10, 4000), (14, 5600)),
    ],
)  # fmt: skip
def test_sizes_of_wide_pictures(size, found):
    assert vda.network_size(*size) == found


def test_fits_of_flat_maps_only_shift():
    flat = np.full((2, 3), 0.5)
    assert vda.fit(flat, flat + 2) == (1.0, 2.0)
    x = np.array([0.1, 0.4, 0.9, 0.3])
    y = np.array([1.0, 0.2, 0.7, 0.5])
    assert vda.fit(x, y) == pytest.approx(tuple(np.polyfit(x, y, 1)))


def test_windows_are_aligned_and_cross_faded():
    rng = np.random.default_rng(0)
    true = rng.random((54, 3, 4)).astype(np.float32) + 1
    align = vda.Alignment()
    assert align.finish() is None
    first = align.push(true[:32])
    keys = np.stack([true[n] for n in (0, 12, *range(24, 32))])
    second_raw = (np.concatenate([keys, true[32:54]]) - 0.4) / 2
    second_raw[2:10] += 0.25  # half a unit too near where both windows meet
    second = align.push(second_raw)
    assert align.fits == [(pytest.approx(2.0, rel=1e-4), pytest.approx(0.4, abs=1e-4))]
    rest = align.finish()
    out = np.concatenate([first, second, rest])
    assert (len(first), len(second), len(rest)) == (24, 22, 8)
    wanted = true.copy()
    wanted[24:32] += np.linspace(0, 1, 8)[:, None, None] * 0.5
    assert out == pytest.approx(wanted, abs=1e-4)
    negative = vda.Alignment()
    negative.push(true[:32])
    assert negative.push(np.concatenate([keys, true[32:54] - 50])).min() == 0.0


def streamed(count):
    """Frame numbers that each call of the network saw, the last one being its own."""
    asked = []

    class Network:
        def encode(self, images):
            return [images.mean(1, keepdim=True)] * 4

        def __call__(self, features, past=None):
            number = round(float(features[0].mean()) * 1000)
            asked.append((None if past is None else [int(v) for v in past[0].flatten()], number))
            return torch.zeros(1, 2, 2), [torch.full((1, 1), float(number))]

    engine = vda.Engine(Network(), "cpu", (2, 2))
    shot = vda.StreamingShot(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vda.pictures, "normalised", lambda frames, shape: torch.from_numpy(frames).permute(0, 3, 1, 2))
        out = list(
            shot.push(
                (np.arange(count, dtype=np.float32) / 1000)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)
            )
        )
    assert [len(depth) for depth in out] == [1] * count
    assert list(shot.finish()) == []
    return asked, shot


def test_a_stream_sees_the_oldest_and_the_newest_frames():
    asked, shot = streamed(60)
    assert asked[0] == (None, 0)
    assert asked[1] == ([0] * 31, 1)
    assert asked[5] == ([0] * 27 + [1, 2, 3, 4], 5)
    assert [len(past) for past, _ in asked[1:]] == [31] * 59
    assert asked[-1][0][2:] == list(range(30, 59))
    assert len(shot.frame_ids) == len(shot._cache) == 42
    assert shot.frame_ids[-1] == 59 and shot.frame_ids[0] == 0
    assert shot._next == 60


@pytest.mark.parametrize(("mode", "held"), [("windows", 40), ("streaming", 0)])
@pytest.mark.parametrize(("device", "loaded"), [("cpu", True), ("cuda:0", False)])
def test_frames_that_video_depth_holds(mode, held, device, loaded, monkeypatch):
    monkeypatch.setattr(vda.devices, "choose_device", lambda wanted: Device(device, ""))
    network = SimpleNamespace(config=SimpleNamespace(patch_size=14, img_size=518))
    monkeypatch.setattr(vda, "load_network", lambda *given: network)
    settings = ConvertSettings(depth_mode=mode)
    cost = vda.SmallVideoDepth.cost(settings, suites.info())
    assert (cost.frames, cost.own > 0) == (held, loaded)
    made = vda.SmallVideoDepth(settings, suites.info())
    assert (made.held, made.shape) == (held, (518, 784))
    assert isinstance(made.begin(0), vda.StreamingShot if mode == "streaming" else vda.WindowShot)
    small = vda.SmallVideoDepth(ConvertSettings(depth_size=140), suites.info())
    assert small.shape == (140, 210)


def test_sizes_and_batches_of_the_engine():
    calls = []

    class Network:
        def encode(self, images):
            calls.append(len(images))
            return [images[:, :1], images[:, 1:]]

        def __call__(self, features, past):
            return torch.ones(2, 4, 6), [past]

    engine = vda.Engine(Network(), "cpu", (4, 6), out=(8, 12), traced=[])
    levels = engine.encode(np.zeros((19, 4, 6, 3), np.float32))
    assert calls == [8, 8, 3]
    assert [tuple(level.shape) for level in levels] == [(19, 1, 4, 6), (19, 2, 4, 6)]
    depth, cache = engine.decode(levels, "past")
    assert (depth.shape, cache, engine.traced[0].shape) == ((2, 8, 12), ["past"], (2, 4, 6))
    engine.out = (4, 6)
    assert engine.decode(levels)[0].shape == (2, 4, 6)


Output = namedtuple("Output", "predicted_depth field_of_view")


def bare(kind, **given):
    made = kind.__new__(kind)
    for name, value in {
        "device": "cpu",
        "shape": (8, 12),
        "batch": 4,
        "_scale": steady.Scale(),
        "_smoother": steady.FlowSmoother(0.0),
        **given,
    }.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(("fov", "factor"), [(90.0, 2.0), (60.0, 1.1547), (None, 1.1547)])
def test_metric_depth_keeps_the_first_field_of_view(fov, factor):
    calls = []

    class Model:
        dtype = torch.float32

        def __call__(self, pixel_values):
            calls.append(len(pixel_values))
            angle = None if fov is None else torch.full((len(pixel_values),), fov * len(calls))
            return Output(torch.full((len(pixel_values), 4, 6), 0.5), angle)

    made = bare(image.DepthPro, model=Model())
    clips = suites.film(5, size=3)
    for clip, depth in made(iter(clips)):
        assert depth.metric and depth.values == pytest.approx(0.5 * factor, abs=1e-4)
        assert len(depth) == len(clip)
    assert made.finished(np.float32([0, 1e9]).reshape(2, 1, 1), None).flatten().tolist() == pytest.approx([1e-4, 1e4])
    ratios = SimpleNamespace(config=SimpleNamespace(patch_size=384, scaled_images_ratios=[0.25, 0.5, 1]))
    assert bare(image.DepthPro, model=ratios).network_size(100, 200, None) == (1536, 1536)


def test_relative_depth_of_pictures_in_batches_of_four():
    calls = []

    class Model:
        dtype = torch.float32
        config = SimpleNamespace(backbone_config=SimpleNamespace(patch_size=14))

        def __call__(self, pixel_values):
            calls.append(len(pixel_values))
            ramp = torch.linspace(2, 6, 12).repeat(len(pixel_values), 8, 1)
            return Output(ramp, None)

    made = bare(image.DepthAnythingSmall, model=Model())
    ((first, depth), (second, _)) = list(made(iter([*suites.film(6, size=6), replace(suites.film(2)[0], overlap=1)])))
    assert calls == [4, 2, 1]
    assert (len(first), len(second)) == (6, 1)
    seen = np.linspace(2, 6, 12)
    low, high = seen[0], seen[10]  # of every second column, each as often as there are rows
    assert depth.values[0, 3] == pytest.approx(np.clip((seen - low) / (high - low), 0, 1), abs=1e-5)
    assert not depth.metric
    assert made.network_size(1080, 1920, None) == (518, 924)
    assert made.network_size(1080, 1920, 140) == (140, 252)
    assert list(made(iter([replace(suites.film(2)[0], overlap=2)]))) == []


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_weights_of_pictures_in_main_memory(device, monkeypatch):
    monkeypatch.setattr(image.devices, "choose_device", lambda wanted: Device(device, ""))
    cost = image.DepthPro.cost(EstimatorSettings(), suites.info())
    assert (cost.frames, cost.own > 0) == (0, device == "cpu")


class Late:
    """Depth of a shot in pieces of other lengths than the clips; each frame's depth is its brightness."""

    def __init__(self, pieces, log, number):
        self.pieces, self.waiting, self.log = pieces, [], log
        log.append(number)

    def push(self, pictures):
        self.waiting += list(pictures.mean(-1))
        while self.pieces and len(self.waiting) >= self.pieces[0]:
            count = self.pieces.pop(0)
            yield np.stack(self.waiting[:count]) if count else np.zeros((0, 4, 6), np.float32)
            del self.waiting[:count]

    def finish(self):
        if self.waiting:
            yield np.stack(self.waiting)


@pytest.mark.parametrize("pieces", [[1] * 9, [2, 0, 5], [9], [], [4, 3]])
@pytest.mark.parametrize("ended", [True, False])
def test_late_depth_comes_to_its_clips(pieces, ended):
    log = []
    clips = [replace(clip, last=clip.last and ended) for clip in suites.film(9, 4, size=3)]
    clips[1] = replace(clips[1], overlap=1)
    out = list(windowed.run(iter(clips), lambda number: Late(list(pieces), log, number), (8, 12), metric=True))
    assert log == [0, 1]
    assert [clip.pts.tolist() for clip, _ in out] == [[0, 1, 2], [4, 5], [6, 7, 8], [9, 10, 11], [12]]
    for clip, depth in out:
        wanted = windowed.tone.rgb_frames(clip, (8, 12)).mean(-1)
        assert depth.values == pytest.approx(wanted, abs=1e-6)
        assert depth.metric and depth.values.dtype == np.float32
    relative = list(windowed.run(iter(clips), lambda number: Late(list(pieces), log, number), (8, 12)))
    for _, depth in relative:
        assert not depth.metric
        assert 0 <= depth.values.min() <= depth.values.max() <= 1
