"""DynamiCrafter's networks and maths against recorded runs of the published code. Sizes come from the cases."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
safetensors_numpy = pytest.importorskip("safetensors.numpy", reason="needs the depth extra")

from stereocast.diffusion import guidance, latents, samplers, schedules  # noqa: E402
from stereocast.models import tokenizer  # noqa: E402
from stereocast.models.dynamicrafter import UNet, UNetConfig  # noqa: E402
from stereocast.models.kl_vae import KlVae, VaeConfig  # noqa: E402
from stereocast.models.openclip import ClipConfig, ImageEncoder, TextEncoder, prepared, resized  # noqa: E402
from stereocast.models.resampler import Resampler, ResamplerConfig  # noqa: E402
from stereocast.models.video import VideoConfig, VideoModel, VideoNetworks  # noqa: E402
from tests.fill import fill  # noqa: E402


def load(case: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays = {k: torch.from_numpy(v) for k, v in safetensors_numpy.load_file(case).items()}
    return arrays, json.loads(case.with_suffix(".json").read_text("utf-8"))


def filled(module: Any, prefix: str, skip: tuple[str, ...] = ()) -> Any:
    state = {
        k: torch.from_numpy(np.asarray(fill(prefix + k, tuple(v.shape)))) if k not in skip else v
        for k, v in module.state_dict().items()
    }
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def error(got: Any, want: Any) -> float:
    return float((got.double() - want.double()).abs().max() / want.double().std())


@pytest.mark.reference("unet*.safetensors")
def test_unet(case: Path) -> None:
    arrays, meta = load(case)
    net = filled(UNet(UNetConfig.of(meta["unet_params"])), meta["prefix"])
    seen: dict[str, Any] = {}

    def keep(name: str, module: Any) -> None:
        module.register_forward_hook(lambda m, i, out: seen.update({name: out}) if name not in seen else None)

    keep("act_time_embed", net.time_embed)
    keep("act_fps_embedding", net.fps_embedding)
    keep("act_input_block_0", net.input_blocks[0][0])
    keep("act_init_attn", net.init_attn[0])
    keep("act_input_block_1_resblock", net.input_blocks[1][0])
    keep("act_input_block_1_spatial", net.input_blocks[1][1])
    keep("act_input_block_1", net.input_blocks[1][2])
    keep("act_middle_block", net.middle_block[3])
    x, t, context, fs = (arrays[n] for n in ("x", "timesteps", "context", "fs"))
    assert error(net(x, t, context, fs), arrays["out"]) < 3e-5
    for name, got in seen.items():
        if name in arrays:
            assert error(got, arrays[name]) < (3e-5 if name == "act_middle_block" else 1e-5), name
    assert error(net(x, t, context), arrays["out_default_fs"]) < 3e-5
    if "out_shared_image_tokens" in arrays:
        assert error(net(x, t, context[:, : 77 + 32], fs), arrays["out_shared_image_tokens"]) < 3e-5


@pytest.mark.reference("vae*.safetensors")
def test_vae(case: Path) -> None:
    arrays, meta = load(case)
    vae = filled(KlVae(VaeConfig.of(meta["vae_params"])), meta["prefix"])
    assert error(vae.moments(arrays["x"]), arrays["moments"]) < 3e-5
    assert error(vae.encode(arrays["x"], arrays["noise"]) * meta["scale_factor"], arrays["z_scaled"]) < 3e-5
    assert error(vae.decode(arrays["decode_in"]), arrays["decode_out"]) < 3e-5


@pytest.mark.reference("resampler*.safetensors")
def test_resampler(case: Path) -> None:
    arrays, meta = load(case)
    net = filled(Resampler(ResamplerConfig.of(meta["resampler_params"])), meta["prefix"])
    assert error(net(arrays["x"]), arrays["out"]) < 2e-5


@pytest.mark.reference("openclip_text*.safetensors")
def test_text(case: Path) -> None:
    pytest.importorskip("ftfy", reason="needs the diffusion extra")
    arrays, meta = load(case)
    got = torch.from_numpy(tokenizer.tokens(meta["prompts"]))
    assert torch.equal(got, arrays["tokens"])
    net = filled(TextEncoder(ClipConfig.of(meta["open_clip_config"])), meta["prefix"])
    assert error(net(got[arrays["which"]]), arrays["out"]) < 2e-5


@pytest.mark.reference("openclip_vision*.safetensors")
def test_vision(case: Path) -> None:
    arrays, meta = load(case)
    net = filled(ImageEncoder(ClipConfig.of(meta["open_clip_config"])), meta["prefix"])
    for name in sorted(n.removeprefix("image_") for n in arrays if n.startswith("image_")):
        picture = (arrays[f"image_{name}"].float() / 255 - 0.5) * 2
        made, want = prepared(picture[None]), arrays[f"preprocessed_{name}"]
        every = -(-made.shape[-1] // want.shape[-1])
        assert error(made[..., ::every, ::every], want) < 2e-4
        assert error(net(picture[None]), arrays[f"tokens_{name}"]) < 2e-4
    assert error(net(torch.zeros(1, 3, 64, 64)), arrays["tokens_zero_image"]) < 2e-4


@pytest.mark.reference("clip_resize*.safetensors")
def test_resize(case: Path) -> None:
    arrays, _ = load(case)
    for name in (n for n in arrays if n.startswith("in_")):
        want = arrays[name.replace("in_", "out_")]
        got = resized((arrays[name].float() / 255 - 0.5)[None] * 2)[0]
        every = -(-got.shape[-1] // want.shape[-1])
        got = got[:, ::every, ::every]
        assert error(got, want) < 1e-5


def published_schedule(model: str) -> schedules.Schedule:
    return VideoConfig.published(model).schedule()


@pytest.mark.reference("schedule*.safetensors")
def test_schedule(case: Path) -> None:
    arrays, _ = load(case)
    for name, want in arrays.items():
        model, *rest = name.split(".")
        made = published_schedule(model)
        if len(rest) == 1:
            np.testing.assert_allclose(made.buffers()[rest[0]], want.numpy(), rtol=1e-6, atol=1e-7, err_msg=name)
            continue
        spacing, steps, table = rest[0], int(rest[1][1:]), rest[-1]
        name, _, eta = table.partition("_eta")
        tables = made.tables(steps, spacing, float(eta or 1))
        if name == "timesteps":
            assert np.array_equal(tables[name], want.numpy()), case
        else:
            np.testing.assert_allclose(tables[name], want.numpy(), atol=1e-6, err_msg=f"{model} {rest}")


@pytest.mark.reference("sampler*.safetensors")
def test_sampler(case: Path) -> None:
    arrays, meta = load(case)
    net = filled(UNet(UNetConfig.of(meta["unet_params"])), meta["prefix"])
    config = VideoConfig.published(meta["model"])
    steps = config.schedule().steps(meta["steps"], meta["spacing"], meta["eta"])
    assert [s.timestep for s in steps] == arrays["timesteps"][:, 0].tolist()
    concat, context, empty = (arrays[n] for n in ("concat", "context", "uncond_context"))

    def raw(x: Any, step: Any, tokens: Any) -> Any:
        t = torch.full((len(x),), step.timestep)
        return net(torch.cat([x, concat], 1), t, tokens, arrays["fs"])

    def network(x: Any, step: Any) -> Any:
        cond, uncond = raw(x, step, context), raw(x, step, empty)
        if meta["cfg_img"] is None:
            guided = guidance.classifier_free(cond, uncond, meta["guidance_scale"])
        else:
            middle = raw(x, step, torch.cat([empty[:, :77], context[:, 77:]], 1))
            guided = guidance.three_way(cond, middle, uncond, meta["guidance_scale"], meta["cfg_img"])
        return guidance.rescaled(guided, cond, meta["guidance_rescale"])

    def before(x: Any, number: int) -> Any:
        if not meta["masked"]:
            return x
        return latents.blended(x, arrays["x0"], arrays["mask"], steps[number], arrays["q_noise"][number])

    loose = 2e-3 if meta["masked"] or meta["cfg_img"] is not None else 3e-4
    for number, step in enumerate(steps):
        x = arrays["x_in"][number]
        assert error(raw(x, step, context), arrays["model_cond"][number]) < 1e-4
        one = samplers.ddim(x, network(x, step), step, config.prediction, arrays["noise"][number])
        assert error(one.x, arrays["x_prev"][number]) < 1e-4
        assert error(one.x0, arrays["pred_x0"][number]) < 1e-4
    noise = arrays["noise"]
    walk = samplers.sample(network, arrays["x_T"], steps, config.prediction, lambda n: noise[n], before)
    for done in walk:
        assert error(done.x_in, arrays["x_in"][done.number]) < loose
        assert error(done.result.x, arrays["x_prev"][done.number]) < loose
    assert error(done.result.x, arrays["out"]) < loose


@pytest.mark.reference("pipeline*.safetensors")
def test_pipeline(case: Path) -> None:
    pytest.importorskip("ftfy", reason="needs the diffusion extra")
    arrays, meta = load(case)
    config = VideoConfig.of(meta, meta["model"])
    networks = VideoNetworks(config)
    buffers = tuple(config.schedule().buffers())
    filled(networks, "", buffers)
    model = VideoModel(networks, config)
    picture = (arrays["image"].float() / 255 - 0.5) * 2
    end = (arrays["image_end"].float() / 255 - 0.5) * 2 if meta["interp"] else None
    conditions = model.conditions(
        meta["prompt"], picture, picture, end, frames=meta["frames"], fs=meta["fs"], noise=arrays["vae_noise"]
    )
    assert error(conditions.context, arrays["context"]) < 5e-4
    assert error(conditions.uncond_context, arrays["uncond_context"]) < 5e-4
    assert error(conditions.concat, arrays["concat"]) < 5e-4
    steps = config.schedule().steps(meta["steps"], meta["spacing"], meta["eta"])
    tolerance = 5e-4 if meta["steps"] > 3 else 3e-3
    network = model.guided(conditions, meta["guidance_scale"], meta["guidance_rescale"])
    walk = samplers.sample(network, arrays["x_T"], steps, config.prediction, lambda n: arrays["noise"][n])
    for done in walk:
        assert error(done.result.x0, arrays["pred_x0"][done.number]) < tolerance
        assert error(done.result.x, arrays["x_prev"][done.number]) < tolerance
    assert error(done.result.x, arrays["latents"]) < tolerance
    assert error(model.decode(done.result.x)[0], arrays["video"]) < tolerance


@pytest.mark.reference("keys_[0-9]*.json.gz")
def test_published_keys(case: Path) -> None:
    with gzip.open(case, "rt") as file:
        want = {k: tuple(v) for k, v in json.load(file).items()}
    with torch.device("meta"):
        networks = VideoNetworks(VideoConfig.published(case.name.removeprefix("keys_").split(".")[0]))
    assert {k: tuple(v.shape) for k, v in networks.state_dict().items()} == want
