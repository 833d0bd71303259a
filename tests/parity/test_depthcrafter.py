"""DepthCrafter against the published program: every evaluation, every stitched latent, the decoded depth."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.arrays import read_arrays

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")

from stereocast.depth import crafter, dissolve
from stereocast.diffusion import edm
from stereocast.models import depthcrafter as models
from tests.parity import depthcrafter_tiny as tiny

FIRST, LATER, PICTURE = 2e-3, 3e-4, 1e-3  # latents after step 0; every other latent and F; decoded values and dissolve


class GivenNoise:
    def __init__(self, image: np.ndarray | None, latent: np.ndarray) -> None:
        self._image, self._latent = image, latent

    def image(self, frame, shape):
        return torch.from_numpy(self._image[frame])

    def latent(self, slot, shape):
        return torch.from_numpy(self._latent[slot])


def _inputs(case: Path) -> dict:
    """Arrays of a run and, where the case saves only what differs, those of the run with the inputs."""
    arrays = read_arrays(case)
    for other in sorted(case.parent.glob("e2e*.npz")):
        with np.load(other) as source:
            if "frames" in source:
                return {**dict(source), **arrays} if "frames" not in arrays else arrays
    raise AssertionError(f"no case beside {case} has frames")


def _close(found, want, atol):
    found = found.numpy() if hasattr(found, "numpy") else found
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=0, atol=atol)


@pytest.mark.reference("e2e*.npz")
def test_film(case: Path) -> None:
    own, data = set(read_arrays(case)), _inputs(case)
    networks = tiny.networks(case.parent)
    options = crafter.Options(
        int(data["steps"]),
        float(data["guidance"]),
        int(data["window_size"]),
        int(data["overlap"]),
        int(data["decode_chunk_size"]),
        float(data["noise_aug_strength"]),
    )
    noise = GivenNoise(data["noise_aug"], data["init_noise"][0])
    steps: dict[tuple[int, int], crafter.Step] = {}
    sampler = crafter.Sampler(networks, options, noise, lambda w, s, step: steps.update({(w, s): step}))
    decoder = crafter.Decoder(networks, options.chunk)
    finals, depth = [], []
    with torch.inference_mode():
        pixels = crafter.to_pixels(data["frames"].astype(np.float32) / 255, "cpu")
        tokens, images = crafter.conditions(networks, pixels, torch.from_numpy(data["noise_aug"]), options.strength)
        pieces = [2, 5, 1, 3]  # frames arrive in any portions
        begin = 0
        while begin < len(pixels):
            size = pieces[len(finals) % 4]
            finals += sampler.push(tokens[begin : begin + size], images[begin : begin + size])
            begin += size
        finals += sampler.finish()
        latents = torch.cat([piece.latents for piece in finals])
        for piece in finals:
            depth += decoder.push(piece.latents)
        depth += decoder.finish()
        raw = torch.cat([networks.decode(group) for group in latents.split(options.chunk)])

    _close(tokens, data["clip_embeds"], LATER)
    _close(images, data["video_latents"], LATER)
    assert {window for window, _ in steps} == set(range(int(data["num_windows"])))
    checked = 0
    for (window, number), step in steps.items():
        for name, value in (
            ("unet_in", step.scaled),
            ("F_cond", step.cond),
            ("F_uncond", step.uncond),
            ("latents", step.latents),
        ):
            if f"w{window}_s{number}_{name}" in own:
                bound = FIRST if name == "latents" and number == 0 else LATER
                _close(value, data[f"w{window}_s{number}_{name}"], bound)
                checked += 1
    assert checked >= 3 * len(steps)
    for number in range(options.steps):
        assert edm.noise_level(float(edm.karras_sigmas(options.steps)[number])) == pytest.approx(
            float(data[f"timestep_{number}"]), abs=1e-6
        )
    _close(latents[None], data["latents_final"], LATER)
    raw = raw.permute(1, 0, 2, 3)[None].numpy()  # [1, 3, T, H, W]
    every = -(-raw.shape[2] // data["decoded_raw"].shape[2])
    _close(raw[:, :, ::every], data["decoded_raw"], PICTURE)
    depth = np.concatenate(depth)
    _close(depth, data["depth_mean"], PICTURE)
    low, high = data["depth_minmax"]
    every = -(-len(depth) // len(data["depth_norm"]))
    _close(((depth - depth.min()) / (depth.max() - depth.min()))[::every], data["depth_norm"], PICTURE)
    assert (depth.min(), depth.max()) == pytest.approx((low, high), abs=PICTURE)


@pytest.mark.reference("dissolve*.npz")
def test_dissolve(case: Path) -> None:
    data, film = read_arrays(case), _inputs(case)
    networks, strength = tiny.networks(case.parent), float(film["noise_aug_strength"])
    chunk = int(film["decode_chunk_size"])
    with torch.inference_mode():
        pixels = crafter.to_pixels(film["frames"].astype(np.float32) / 255, "cpu")
        given = crafter.conditions(networks, pixels, torch.from_numpy(film["noise_aug"]), strength)
        count = data["x0"].shape[1]
        options = crafter.Options(int(data["steps_first"]), 1.0, count, 0, chunk, strength)
        sampler = crafter.Sampler(networks, options, GivenNoise(None, data["init_noise"][0]))
        pieces = [*sampler.push(*given), *sampler.finish()]
        x0 = torch.cat([piece.latents for piece in pieces])
        _close(x0[None], data["x0"], LATER)
        clean = crafter.Frames(torch.from_numpy(data["x0"][0]), *given)
        fresh = torch.from_numpy(data["fresh_noise"].reshape(data["x0"][0].shape))
        for index, sigma in zip(data["index"].tolist(), data["sigma"].tolist(), strict=True):
            assert dissolve.sigma_at(index) == pytest.approx(sigma, rel=1e-6)
            for kind in ("official", "noised", "literal"):
                recipe = dissolve.Recipe(dissolve.sigma_at(index), kind)
                found = dissolve.dissolve(networks, recipe, clean, fresh, strength)
                _close(found[None], data[f"{kind}_i{index:02}"], PICTURE)
                if kind == "official":
                    depth = torch.cat(
                        [crafter.to_depth(networks.decode(group)) for group in found.split(chunk)]
                    ).numpy()
                    want = data[f"depth_official_i{index:02}"]
                    _close(depth[:: -(-len(depth) // len(want))], want, PICTURE)


@pytest.mark.reference("euler_schedule*.json")
def test_schedule(case: Path) -> None:
    for steps, want in json.loads(case.read_text("utf-8")).items():
        if not steps.isdigit():
            continue
        sigmas = edm.karras_sigmas(int(steps))
        np.testing.assert_allclose(sigmas, want["sigmas"], rtol=1e-6)
        levels = [edm.noise_level(sigma) for sigma in sigmas[:-1].tolist()]
        np.testing.assert_allclose(levels, want["timesteps"], atol=1e-6)
        assert edm.initial_sigma() == pytest.approx(want["init_noise_sigma"], rel=1e-6)


@pytest.mark.reference("keys*.json.gz")
def test_published_keys(case: Path) -> None:
    table = json.loads(gzip.decompress(case.read_bytes()))
    if not isinstance(table.get("configs"), dict) or not {"unet", "vae", "image_encoder"} <= set(table["configs"]):
        pytest.skip("keys of another model")
    for part in ("unet", "vae", "image_encoder"):
        model = models.build_empty(part, table["configs"][part])
        assert all(parameter.is_meta for parameter in model.parameters())
        found = {f"{part}/{key}": list(value.shape) for key, value in model.state_dict().items()}
        assert found == {key: shape for key, shape in table["keys"].items() if key.startswith(f"{part}/")}
        assert sum(parameter.numel() for parameter in model.parameters()) == table["params"][part]
