"""DepthCrafter on streams: windows, memory, offload, dissolving; on tiny networks."""

import copy
import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")

from stereocast.depth import crafter, dissolve, headroom
from stereocast.diffusion import edm
from stereocast.errors import OutOfMemory, UsageError
from stereocast.settings import ConvertSettings
from tests.parity import depthcrafter_tiny as tiny

CASES = Path(__file__).resolve().parents[1] / "data/reference/depthcrafter"


class Smooth:
    """A network in whose eyes the depth latent is a smooth function of the image latent."""

    device, dtype, latent_scale = "cpu", torch.float32, 1.0

    def __init__(self, limit: int = 1000) -> None:
        self.limit, self.calls = limit, []

    def predict(self, scaled, level, tokens, images, strength):
        self.calls.append(scaled.shape[1])
        if scaled.shape[1] > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
        sigma = np.exp(4 * level)
        scale = edm.scalings(sigma)
        return (images[None] - scale.c_skip / scale.c_in * scaled) / scale.c_out

    def decode(self, latents):
        return latents[:, :3]


def film(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    ramp = torch.linspace(0, 1, count).view(-1, 1, 1, 1)
    return torch.zeros(count, 2), ramp * torch.ones(count, 4, 2, 2)


def sample(networks, options, count, portion=3) -> torch.Tensor:
    sampler = crafter.Sampler(networks, options, crafter.SeededNoise(0, 0))
    tokens, images = film(count)
    pieces = []
    for begin in range(0, count, portion):
        pieces += sampler.push(tokens[begin : begin + portion], images[begin : begin + portion])
    pieces += sampler.finish()
    return torch.cat([piece.latents for piece in pieces])


@pytest.mark.parametrize("count", [1, 7, 8, 9, 13, 14, 23, 40])
@pytest.mark.parametrize(("window", "overlap"), [(8, 3), (8, 0), (12, 5)])
def test_any_length_any_window_gives_each_frame_once(count, window, overlap):
    """With a denoiser that knows the answer every window size gives the same film."""
    options = crafter.Options(steps=3, window=window, overlap=overlap)
    networks = Smooth()
    found = sample(networks, options, count)
    assert torch.allclose(found, film(count)[1], atol=2e-4)
    assert max(networks.calls) <= window


def test_frames_come_out_while_the_film_goes_on():
    options = crafter.Options(steps=1, window=8, overlap=3)
    sampler = crafter.Sampler(Smooth(), options, crafter.SeededNoise(0, 0))
    waiting = 0
    for frame in range(200):
        waiting += 1
        tokens, images = film(1)
        waiting -= sum(len(piece.latents) for piece in sampler.push(tokens, images))
        assert waiting <= options.window, f"at frame {frame}"


class Shelf:
    """A keeper in memory."""

    def __init__(self):
        self.kept = {}

    def save(self, place, pts, arrays):
        self.kept[place] = (pts.tolist(), {name: array.copy() for name, array in arrays.items()})

    def load(self, place, pts):
        made_of, arrays = self.kept.get(place, (None, {}))
        return arrays if made_of == pts.tolist() else None


def test_a_resumed_run_denoises_the_open_window_alone():
    options = crafter.Options(steps=3, window=8, overlap=3)
    tokens, images = film(30)

    def run(networks, shelf, stop=None):
        sampler = crafter.Sampler(networks, options, crafter.SeededNoise(0, 4), keep=crafter.Keep(shelf, 4))
        pieces = [*sampler.push(tokens[:stop], images[:stop])]
        return torch.cat([piece.latents for piece in (pieces if stop else [*pieces, *sampler.finish()])])

    networks = Smooth()
    whole = run(networks, None)
    each = options.steps
    windows, remainder = divmod(len(networks.calls), each)
    assert (windows, remainder) == (6, 0)
    shelf, interrupted, resumed = Shelf(), Smooth(), Smooth()
    run(interrupted, shelf, stop=20)
    done = len(interrupted.calls) // each
    assert sorted(shelf.kept) == [(4, k) for k in range(done)]
    assert torch.equal(run(resumed, shelf), whole)
    assert len(resumed.calls) == (windows - done) * each
    other = crafter.Options(steps=3, window=10, overlap=3)  # as where a card has less memory: nothing fits
    sampler = crafter.Sampler(networks := Smooth(), other, crafter.SeededNoise(0, 4), keep=crafter.Keep(shelf, 4))
    assert [*sampler.push(tokens, images)] and max(networks.calls) == 10


def test_too_little_memory_means_smaller_windows(caplog):
    networks = Smooth(limit=5)
    options = crafter.Options(steps=2, window=16, overlap=6)
    with caplog.at_level(logging.WARNING):
        found = sample(networks, options, 37)
    assert torch.allclose(found, film(37)[1], atol=2e-4)
    assert networks.calls.count(16) == 1
    assert networks.calls.count(8) == 1
    assert "out of memory with 16 frames at a time; trying 8" in caplog.text
    with pytest.raises(OutOfMemory, match="--depth-offload sequential"):
        sample(Smooth(limit=2), options, 20)


def test_other_errors_are_not_taken_for_memory():
    assert headroom.is_exhausted(torch.OutOfMemoryError("x out of memory"))
    assert headroom.is_exhausted(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not headroom.is_exhausted(RuntimeError("shape mismatch"))


def test_noise_depends_on_seed_shot_and_frame_alone():
    noise = crafter.SeededNoise(5, 2)
    assert torch.equal(noise.latent(3, (4, 2, 2)), crafter.SeededNoise(5, 2).latent(3, (4, 2, 2)))
    others = [crafter.SeededNoise(6, 2), crafter.SeededNoise(5, 3)]
    for other in (*(o.latent(3, (4, 2, 2)) for o in others), noise.latent(4, (4, 2, 2)), noise.image(3, (4, 2, 2))):
        assert not torch.equal(noise.latent(3, (4, 2, 2)), other)


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_offload_changes_nothing(offload):
    x, tokens, images = torch.randn(1, 3, 4, 8, 8), torch.randn(3, 32), torch.randn(3, 4, 8, 8)
    plain = tiny.networks(CASES)
    parts = {name: copy.deepcopy(getattr(plain, name)) for name in ("unet", "vae", "image_encoder")}
    moved = crafter.Networks(**parts, offload=offload)
    with torch.inference_mode():
        for call in (
            lambda n: n.predict(x, 0.5, tokens, images, 0.02),
            lambda n: n.decode(images),
            lambda n: n.encode(torch.ones(2, 3, 64, 64) / 2),
            lambda n: n.tokens(torch.ones(2, 3, 64, 64) / 2),
        ):
            assert torch.allclose(call(plain), call(moved), atol=1e-5)


def test_sizes():
    assert crafter.network_size(1080, 1920) == (576, 1024)
    assert crafter.network_size(576, 1024) == (576, 1024)
    assert crafter.network_size(320, 512) == (320, 512)
    assert crafter.network_size(20, 30) == (64, 64)
    assert crafter.network_size(1920, 1080) == (1024, 576)


def test_dissolve_scales():
    assert dissolve.sigma_of(45) == pytest.approx(374.246, rel=1e-4)
    assert dissolve.sigma_of(20) == pytest.approx(4.5211, rel=1e-4)
    assert dissolve.sigma_at(45) == pytest.approx(0.02375, rel=1e-3)
    assert [dissolve.sigma_vp(t) for t in (20, 30, 40, 45)] == pytest.approx([1.17, 2.29, 5.13, 8.39], abs=0.01)
    with pytest.raises(UsageError, match="outside"):
        dissolve.sigma_at(50)
    chosen = dissolve.recipe(ConvertSettings(dissolve=10, dissolve_scale="index"))
    assert chosen.sigma == dissolve.sigma_at(10)
    assert dissolve.recipe(ConvertSettings()) is None
    assert dissolve.recipe(ConvertSettings(dissolve_sigma=0.5, dissolve_input="noised")) == dissolve.Recipe(
        0.5, "noised"
    )


@pytest.mark.parametrize("kind", ["official", "noised", "literal"])
def test_dissolving_a_stream_is_dissolving_windows_and_stitching(kind):
    networks, recipe = tiny.networks(CASES), dissolve.Recipe(1.5, kind)
    options = crafter.Options(window=4, overlap=2, chunk=4)
    noise = crafter.SeededNoise(0, 0)
    generator = torch.Generator().manual_seed(0)
    clean = crafter.Frames(
        torch.randn(7, 4, 8, 8, generator=generator),
        torch.randn(7, 32, generator=generator),
        torch.randn(7, 4, 8, 8, generator=generator),
    )
    with torch.inference_mode():
        dissolver, found = dissolve.Dissolver(networks, options, recipe, noise), []
        for begin in range(0, 7, 3):
            found += dissolver.push(clean.part(begin, begin + 3))
        found = torch.cat([*found, *dissolver.finish()])

        def window(begin, end):
            slots = torch.stack([noise.latent(n % 4, (4, 8, 8)) for n in range(begin, end)])
            return dissolve.dissolve(networks, recipe, clean.part(begin, end), slots, options.strength)

        first, second, third = window(0, 4), window(2, 6), window(4, 7)
    # the first of two shared frames is fully the old window's, the last fully the new one's
    want = torch.cat([first[:3], second[1:3], third[1:]])
    assert torch.allclose(found, want, atol=2e-4)


def test_dissolving_lowers_high_frequencies_of_a_gaussian_prior():
    """With the ideal denoiser of white noise of power S, dissolving at sigma scales by S / (S + sigma²) (noise-free)."""

    class Ideal(Smooth):
        def predict(self, scaled, level, tokens, images, strength):
            sigma = float(np.exp(4 * level))
            scale = edm.scalings(sigma)
            y = scaled / scale.c_in
            return (y * 0.25 / (0.25 + sigma**2) - scale.c_skip * y) / scale.c_out

    x0 = torch.randn(2, 4, 4, 4)
    clean = crafter.Frames(x0, torch.zeros(2, 2), x0)
    power = [
        float(dissolve.dissolve(Ideal(), dissolve.Recipe(dissolve.sigma_of(t)), clean, None, 0.02).square().mean())
        for t in (5, 10, 15, 20, 30, 45)
    ]
    assert power == sorted(power, reverse=True)
    assert power[0] == pytest.approx(float(x0.square().mean()), rel=0.01)
    assert power[-1] < 1e-9
