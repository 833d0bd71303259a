"""SVD-XT and SV3D_p: UNets, VAEs, image tower, vectors, schedules and key maps against the published code."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fill import fill
from tests.support.arrays import read_arrays

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")

from stereocast.diffusion import compose, edm  # noqa: E402
from stereocast.models import svd  # noqa: E402


def config(case: Path, *path: str):
    table = json.loads((case.parent / "configs.json").read_text())
    for key in path:
        table = table[key]
    return table


def published_names(model, rename, candidates):
    """{model key: published name}, found by trying the key map on the names that the checkpoint lists."""
    wanted = set(model.state_dict())
    return {rename(name): name for name in candidates if rename(name) in wanted}


def _names(kind: str):
    import gzip

    folder = Path(__file__).parent.parent / "data/reference/diffusion2"
    return json.loads(gzip.decompress((folder / f"keys_{kind}.json.gz").read_bytes()))


def filled(model, rename, kind):
    names = published_names(model, rename, _names(kind))
    state = model.state_dict()
    assert set(names) == set(state)
    model.load_state_dict(
        {key: torch.from_numpy(np.asarray(fill(names[key], tuple(state[key].shape)))) for key in state}
    )
    return model.eval()


def unet(case: Path, kind: str):
    made = config(case, "unet", "svd" if kind == "svd_xt" else kind, "diffusers")
    vector = made.pop("projection_class_embeddings_input_dim")
    return filled(svd.build_unet(made, vector), svd.unet_key, kind)


@pytest.mark.reference("unet*.npz")
def test_unet(case: Path):
    data = read_arrays(case)
    kind = "sv3d_p" if "polars_rad" in data else "svd_xt"
    model, frames = unet(case, kind), int(data["num_frames"])
    if kind == "svd_xt":
        vector = svd.svd_vector(1, float(data["fps_id"]), float(data["motion_bucket_id"]), float(data["cond_aug"]))
        np.testing.assert_allclose(np.broadcast_to(vector.numpy(), data["vector"].shape), data["vector"], atol=2e-5)
    else:
        angles = (torch.from_numpy(data[name]) for name in ("polars_rad", "azimuths_rad"))
        vector = svd.sv3d_vector(*angles, float(data["cond_aug"]))
        np.testing.assert_allclose(vector.numpy(), data["vector"], atol=2e-5)
    tensors = (torch.from_numpy(data[name]) for name in ("x", "timesteps", "context", "vector"))
    with torch.no_grad():
        out = model(*tensors, frames)
    np.testing.assert_allclose(out.numpy(), data["out"], atol=2e-5)


@pytest.mark.reference("vae*.npz")
def test_vae(case: Path):
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder

    data = read_arrays(case)
    if "cond_latent_mode" not in data:
        pytest.skip("a VAE of another model")
    made = config(case, "vae", "diffusers")
    shape = {
        "block_out_channels": tuple(made["block_out_channels"]),
        "layers_per_block": made["layers_per_block"],
        "latent_channels": 4,
    }
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4}
    temporal = filled(
        AutoencoderKLTemporalDecoder(**shape, **blocks), lambda k: svd.vae_key(k, temporal=True), "svd_xt"
    )
    blocks |= {"up_block_types": ("UpDecoderBlock2D",) * 4}
    plain = AutoencoderKL(**shape, **blocks, use_post_quant_conv=False)
    plain = filled(plain, lambda k: svd.vae_key(k, temporal=False), "sv3d_p")
    z = torch.from_numpy(data["z"])
    with torch.no_grad():
        whole = temporal.decode(z, num_frames=len(z)).sample
        chunks = {
            name: torch.cat(
                [temporal.decode(part, num_frames=len(part)).sample for part in z.split(int(name.rpartition("_")[2]))]
            )
            for name in data
            if name.startswith("video_decoded_chunks_of_")
        }
        image = plain.decode(z).sample
        mode = temporal.encode(torch.from_numpy(data["image"])).latent_dist.mode()
    np.testing.assert_allclose(whole.numpy(), data["video_decoded"], atol=5e-5)
    assert chunks
    for name, found in chunks.items():
        np.testing.assert_allclose(found.numpy(), data[name], atol=5e-5)
    np.testing.assert_allclose(image.numpy(), data["image_decoded"], atol=5e-5)
    np.testing.assert_allclose(mode.numpy(), data["cond_latent_mode"], atol=5e-5)


@pytest.mark.reference("clip_vision*.npz")
def test_image_tower(case: Path):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    data, made = read_arrays(case), config(case, "clip_vision")
    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=made["width"], intermediate_size=made["width"] * made["mlp_ratio"], num_hidden_layers=made["layers"],
        num_attention_heads=made["heads"], image_size=made["image_size"], patch_size=made["patch_size"],
        hidden_act="gelu", projection_dim=made["projection"],
    )).eval()  # fmt: skip
    p, width = svd.CLIP_PREFIX, made["width"]
    tokens = (made["image_size"] // made["patch_size"]) ** 2 + 1
    shapes = {"class_embedding": (width,), "positional_embedding": (tokens, width), "proj": (width, made["projection"]),
              "conv1.weight": (width, 3, made["patch_size"], made["patch_size"])}  # fmt: skip
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    for i in range(made["layers"]):
        home, wide = f"transformer.resblocks.{i}", width * made["mlp_ratio"]
        shapes |= {f"{home}.attn.in_proj_weight": (3 * width, width), f"{home}.attn.in_proj_bias": (3 * width,)}
        for name, (rows, columns) in {
            "attn.out_proj": (width, width),
            "mlp.c_fc": (wide, width),
            "mlp.c_proj": (width, wide),
        }.items():
            shapes |= {f"{home}.{name}.weight": (rows, columns), f"{home}.{name}.bias": (rows,)}
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{home}.{norm}.weight": (width,), f"{home}.{norm}.bias": (width,)}
    table = svd.clip_tensors(
        {p + name: torch.from_numpy(np.asarray(fill(p + name, shape))) for name, shape in shapes.items()}
    )
    missing = tower.load_state_dict(table, strict=False)
    assert not missing.unexpected_keys
    assert all("position_ids" in key for key in missing.missing_keys)
    with torch.no_grad():
        embeds = tower(torch.from_numpy(data["pixels"])).image_embeds
    np.testing.assert_allclose(embeds.numpy(), data["image_embeds"], atol=1e-5)


@pytest.mark.reference("schedules*.npz")
def test_schedules(case: Path):
    data = read_arrays(case)
    if not any(name.startswith("guidance_sv3d_diffusion2_") for name in data):
        pytest.skip("schedules of another model")
    for name in data:
        kind, _, count = name.rpartition("_")
        want = data[name]
        if kind == "sigmas":
            np.testing.assert_allclose(edm.karras_sigmas(int(count)).numpy(), want, rtol=1e-5, atol=1e-9)
        elif kind in ("c_skip", "c_out", "c_in"):
            got = [getattr(edm.scalings(float(s)), kind) for s in edm.karras_sigmas(int(count))[:-1]]
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        elif kind == "c_noise":
            got = [edm.noise_level(float(s)) for s in edm.karras_sigmas(int(count))[:-1]]
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        elif kind.startswith("guidance_"):
            ramp = {
                "guidance_svd_xt": svd.linear_guidance(len(want)),
                "guidance_diffusers_svd_default": svd.linear_guidance(len(want), 1.0, 3.0),
                "guidance_sv3d_diffusion2": svd.triangle_guidance(len(want)),
                "guidance_sv3d_official": svd.triangle_guidance(len(want), 1.0, 2.5),
            }[kind]
            np.testing.assert_allclose(ramp.numpy(), want, atol=1e-6)
        elif kind.startswith("s_"):
            np.testing.assert_allclose(compose.shares(kind[2:], int(count)).numpy(), want, atol=1e-6)
    official, closed, weight = (
        data[name] for name in ("azimuths_rad_sv3d_official", "azimuths_rad_diffusion2", "view_weight_diffusion2")
    )
    np.testing.assert_allclose(svd.azimuths(len(official), closed=False).numpy(), official, atol=1e-6)
    np.testing.assert_allclose(svd.azimuths(len(closed)).numpy(), closed, atol=1e-6)
    np.testing.assert_allclose(compose.cosine_window(len(weight)).numpy(), weight, atol=1e-6)


class Toy:
    """The published description's toy network, on sequences [B, T, 2C, h, w]."""

    def __init__(self, k):
        self.k = k

    def __call__(self, x, level, context, vector):
        z, c = x.chunk(2, 2)
        k0, k1, k2, k3 = self.k
        b = 0.1 * torch.cos(level)[:, None] + 0.2 * context.mean((1, 2))[:, None] + 0.3 * vector.mean(-1)
        out = k0 * z + k1 * z.mean(1, keepdim=True) + k2 * z.roll(1, 1) + k3 * torch.tanh(c)
        return out + b[..., None, None, None]


class AsNetwork:
    """A UNet as the composition calls it."""

    def __init__(self, model):
        self.model = model

    def __call__(self, x, level, context, vector):
        frames = x.shape[1]
        with torch.no_grad():
            out = self.model(x.flatten(0, 1), level.repeat_interleave(frames), context, vector.flatten(0, 1), frames)
        return out.unflatten(0, (-1, frames))


def matrix_inputs(data, rows, columns):
    t = {name: torch.from_numpy(data[name]) for name in data if data[name].ndim}
    row = compose.Guided(rows, t["video_context"], t["video_image_latent"], t["video_vector"], t["video_guidance"])
    column = compose.Guided(columns, t["mv_context"], t["mv_image_latent"], t["mv_vector"], t["mv_guidance"])
    weights = "cosine" if "view_weight" in data else "none"
    # s was stored in single precision; its decimal value is what the loop used
    options = compose.ComposeOptions(
        s=round(float(data["s"]), 6), rollback_steps=int(data["rollback_steps"]), view_weights=weights
    )
    return row, column, t["initial_noise"], t["sigmas"], options, t["rollback_noise"]


@pytest.mark.reference("matrix_*.npz")
def test_matrix(case: Path):
    data = read_arrays(case)
    toy = "toy" in case.name
    if toy:
        toys = config(case, "toy_denoiser")
        rows, columns = Toy(toys["video_k"]), Toy(toys["multi_view_k"])
    else:
        rows, columns = AsNetwork(unet(case, "svd_xt")), AsNetwork(unet(case, "sv3d_p"))

    def close(got, want, ulp=0.0):
        most = np.abs(want).max()
        np.testing.assert_allclose(got.numpy(), want, rtol=0, atol=1e-5 * most if toy else max(5e-5, ulp * most))

    row, column, noise, sigmas, options, draws = matrix_inputs(data, rows, columns)
    states, befores, last = [], [], None
    for last in compose.evaluations(row, column, noise, sigmas, options, renoise=lambda k: draws[k]):
        if not states:
            close(torch.stack([last.columns, last.rows]), data["denoised_first"])
        states.append(last.state)
        if last.again:
            befores.append(last.before_renoise)
    close(torch.stack([last.columns, last.rows]), data["denoised_last"])
    # early states are in the thousands: float32 can't hold 5e-5 there
    close(torch.stack(befores), data["before_renoise"], ulp=1e-6)
    close(torch.stack(states), data["after_each_evaluation"], ulp=1e-6)
    close(states[-1], data["final"])
    if "view_weight" in data:
        np.testing.assert_allclose(compose.cosine_view_weights(len(noise)).numpy(), data["view_weight"], atol=1e-6)


@pytest.mark.reference("map_*_sgm_to_*.json.gz")
def test_key_maps(case: Path):
    import gzip

    table = json.loads(gzip.decompress(case.read_bytes()))
    if "unet" in case.name:
        assert {key: svd.unet_key(key) for key in table} == table
    elif "vae" in case.name:
        for title, part in table.items():
            assert {key: svd.vae_key(key, temporal="Temporal" in title) for key in part} == part
    else:
        for key, name in table.items():
            made = svd.clip_tensors({key: torch.zeros(6, 6)})
            assert list(made) == (name if isinstance(name, list) else [name])
