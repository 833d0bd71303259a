"""StereoCrafter-Zero's sampler against recorded numbers. Every size and setting comes from the case."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import warped, zero  # noqa: E402
from stereocast.diffusion.features import FeatureStore  # noqa: E402
from stereocast.diffusion.samplers import Stepped  # noqa: E402
from stereocast.diffusion.schedules import Step  # noqa: E402
from stereocast.models.attention import Site, fused, join_heads, split_heads  # noqa: E402
from stereocast.models.video import VideoConfig  # noqa: E402
from stereocast.stereo.crossview import Record, Replay, paired  # noqa: E402
from tests.diffusion.toy import Toy  # noqa: E402


class Case:
    def __init__(self, path: Path) -> None:
        self.meta = json.loads(path.with_suffix(".json").read_text("utf-8"))
        with np.load(path) as arrays:
            self.arrays = {k: torch.from_numpy(arrays[k]) for k in arrays.files}

    def __getitem__(self, name: str) -> Any:
        return self.arrays[name]

    def latent(self, name: str) -> Any:
        return self.arrays[name][None]


def far(got: Any, want: Any) -> float:
    return float((got.reshape(want.shape).float() - want.float()).abs().max())


def steps_of(case: Case, prefix: str, prediction: str = "v") -> list[Step]:
    names = ("timesteps", "alpha_bar", "alpha_bar_prev", "sigma", "scale", "scale_prev", "dir_coef")
    return [
        Step(int(t), a, b, s, c, p, d, a**0.5, (1 - a) ** 0.5)
        for t, a, b, s, c, p, d in zip(*(case[f"{prefix}.{n}"].tolist() for n in names), strict=True)
    ]


def config_of(meta: dict[str, Any]) -> zero.ZeroConfig:
    base = zero.ZeroConfig(
        prediction=meta["prediction"],
        guidance=meta["guidance"],
        guidance_rescale=meta["guidance_rescale"],
        scale_percent=meta["scale_percent"],
        exponent=meta["exponent"],
        cross_view=tuple(meta["cross_view"]),
    )
    made: dict[str, Any] = {}
    if "restart" in meta:
        made["restart"] = zero.Restart(**meta["restart"])
    if "warp" in meta:
        warp = meta["warp"]
        made["warps"] = zero.Warps(tuple(warp["iterations"]), tuple(warp["repetitions"]), warp["last"])
    if "refine" in meta:
        made["refine"] = zero.Refine(**meta["refine"])
    return zero.replace(base, **made)


@pytest.mark.reference("border*.npz")
def test_border(case: Path) -> None:
    data = Case(case)
    for one in data.meta["cases"]:
        name = one["name"]
        blank = data[f"{name}.blank"].bool()
        assert warped.border_columns(blank, one["scale_percent"]) == one["columns"], name
        mask = warped.border_mask(blank, one["scale_percent"])
        assert torch.equal(mask, data[f"{name}.mask"].bool()), name
        for key in (k for k in data.arrays if k.startswith(f"{name}.fill_")):
            got = warped.bordered(data[f"{name}.fill"], data[f"{name}.left"], mask, float(key.rsplit("fill_", 1)[1]))
            assert far(got, data[key]) <= 1e-6
    for name in data.meta["resize"]:
        want = data[f"{name}.out"]
        assert far(warped.small_depth(data[f"{name}.depth"], *want.shape[-2:]), want) <= 1e-5


@pytest.mark.reference("restart*.npz")
def test_restart(case: Path) -> None:
    data = Case(case)
    for run in data.meta["runs"]:
        name, config = run["name"], config_of(run["config"])
        steps = steps_of(data, "tables")
        toy = Toy(run["config"], data.latent(f"{name}.cond"), data.latent(f"{name}.uncond"))
        sampler = zero.ZeroSampler(toy, steps, config)
        sampler.adopt(list(data[f"{name}.left"][:, None]))
        small = data[f"{name}.depth_small"]
        assert far(warped.small_depth(data[f"{name}.depth"], *small.shape[-2:]), small) <= 1e-5
        warp = warped.Warp(small, config.scale_percent, config.exponent)
        assert torch.equal(warp.blank, data[f"{name}.blank"].bool())
        assert torch.equal(warped.border_mask(warp.blank, config.scale_percent), data[f"{name}.border"].bool())
        inputs = zero.Inputs(data[f"{name}.eps"][:, None], data[f"{name}.eps_prime"][:, None])
        seen = 0
        for at in sampler.restarted(warp, inputs):
            where = (at.turn, at.iteration)
            assert far(at.x_in, data[f"{name}.filled"][where]) <= 5e-5, where
            assert far(at.result.x, data[f"{name}.out"][where]) <= 5e-5, where
            assert far(at.stored, data[f"{name}.F"][where]) <= 5e-5, where
            seen += 1
        assert seen == config.restart.passes * config.restart.iterations


@pytest.mark.reference("refine*.npz")
def test_refine(case: Path) -> None:
    data = Case(case)
    i, count = data.meta["iteration"], data.meta["repetitions"]
    for one in data.meta["cases"]:
        name, meta = one["name"], {**data.meta["config"], "refine": one["refine"]}
        toy = Toy(meta, data.latent("cond"), data.latent("uncond"))
        sampler = zero.ZeroSampler(toy, steps_of(data, "tables"), config_of(meta))
        left = data.latent("left_in")
        sampler.adopt([left] * (i + 1))
        before = Stepped(
            data.latent("right_in"),
            data.latent("prev_x0"),
            data.latent("prev_direction"),
            data.latent("prev_noise"),
        )
        inputs = zero.Inputs([data.latent("eps")] * (i + 1), [], iter(data["eps_rep"][:, None]))
        warp = warped.Warp(data["depth_small"], meta["scale_percent"], meta["exponent"])
        assert torch.equal(warp.blank, data["blank"].bool())
        first = None
        for at in sampler.refined(i, count, warp, before, inputs):
            assert far(at.x_in, data[f"{name}.x_in"][at.turn]) <= 5e-5, (name, at.turn)
            assert far(at.result.x0, data[f"{name}.x0"][at.turn]) <= 5e-5, (name, at.turn)
            assert far(at.result.x, data[f"{name}.x_out"][at.turn]) <= 5e-5, (name, at.turn)
            if f"{name}.P" in data.arrays:
                holes = data["blank"].bool().expand(data[f"{name}.P"][at.turn].shape)
                assert float((at.blended[0] - data[f"{name}.P"][at.turn])[holes].abs().max()) <= 5e-5
            first = at.x_in if first is None else first
            seen = ~data["blank"].bool().expand(first.shape)
            assert torch.equal(at.x_in[seen], first[seen])
        assert at.turn == count - 1


def run_of(data: Case, run: dict[str, Any], **how: Any) -> tuple[zero.ZeroSampler, Toy, list[Any], Any]:
    meta, name = run["config"], run["name"]

    def find(key: str) -> Any:
        own = f"{name}.{key}"
        return data.arrays.get(own, data.arrays.get(f"{run['inputs']}.{key}"))

    plan = meta["schedule"]
    count, table = plan["S"], f"tables_{plan['model']}_S{plan['S']}"
    steps = steps_of(data, table if f"{table}.sigma" in data.arrays else f"tables_S{count}")
    toy = Toy(meta, find("cond")[None], find("uncond")[None])
    sampler = zero.ZeroSampler(toy, steps, config_of(meta), **how)
    eps = find("eps")[:count, None]
    if meta["left"] == "given":
        sampler.given(find("z0")[None], find("eps_fixed")[None])
    else:
        for _ in sampler.left(find("x_T")[None], eps):
            pass
    after_left = toy.evaluations
    fresh = find("eps_rep")
    inputs = zero.Inputs(eps, find("eps_prime")[:, None], None if fresh is None else iter(fresh[:, None]))
    depth = warped.small_depth(find("depth"), *find("x_T").shape[-2:])
    levels: dict[int, Any] = {}
    for at in sampler.right(depth, inputs):
        levels[at.iteration + 1] = at.result.x[0]
        if at.iteration < sampler.config.restart.iterations:
            entering = at.result.x[0]
    levels[sampler.config.restart.iterations] = entering
    return sampler, toy, [after_left, levels], at


@pytest.mark.reference("full*.npz")
def test_full_runs(case: Path) -> None:
    data = Case(case)
    for run in data.meta["runs"]:
        name = run["name"]
        sampler, toy, (after_left, levels), at = run_of(data, run)
        config, expected = sampler.config, run["evaluations"]
        assert list(map(list, config.warps.in_force(config.restart.iterations).items())) == run["warps_in_force"], name
        if run["config"]["left"] != "given":
            assert after_left == expected["left_alone"], name
        assert toy.evaluations == expected["cached"], name
        assert toy.right_evaluations == expected["right"], name
        left = data[f"{name}.left"]
        got = torch.stack(sampler.levels)[:, 0]
        assert far(got if len(left) == len(got) else got[-1:], left) <= 2e-4, name
        final = torch.stack([sampler.levels[-1][0], at.result.x[0]])
        assert far(final, data[f"{name}.pair"]) <= 2e-4, name
        if f"{name}.right_at" in data.arrays:
            for level, want in zip(run["right_at"], data[f"{name}.right_at"], strict=True):
                assert far(levels[level], want) <= 2e-4, (name, level)
        if f"{name}.right" in data.arrays:
            right, first = data[f"{name}.right"], config.restart.iterations
            count = len(sampler.steps)
            at_levels = range(first, count + 1) if len(right) == count + 1 - first else (first, count)
            for level, want in zip(at_levels, right, strict=True):
                assert far(levels[level], want) <= 2e-4, (name, level)
        if not data.arrays.get(f"{name}.depth", torch.ones(1)).any():
            assert torch.equal(final[0], final[1]), name


@pytest.mark.reference("full*.npz")
def test_naive_and_budgeted_runs_agree_with_cached_ones(case: Path) -> None:
    data = Case(case)
    for run in data.meta["runs"]:
        *_, cached = run_of(data, run)
        _, toy, _, naive = run_of(data, run, cached=False)
        assert far(naive.result.x, cached.result.x) <= 1e-5, run["name"]
        assert toy.evaluations == run["evaluations"]["naive"], run["name"]
        _, toy, _, short = run_of(data, run, store=FeatureStore(budget=0))
        assert torch.equal(short.result.x, cached.result.x), run["name"]


@pytest.mark.reference("attention*.npz")
def test_cross_view_attention(case: Path) -> None:
    data = Case(case)
    data.arrays = {k: v.double() for k, v in data.arrays.items()}  # four layers amplify float32's rounding tenfold
    heads = data.meta["heads"]
    x = data["x"]
    views, frames, tokens, _ = x.shape

    def layer(name: str, kind: str, y: Any, attend: Any, context: Any = None) -> Any:
        weights = {n: data[f"{name}.{n}"] for n in ("to_q", "to_k", "to_v", "to_out", "to_out_bias")}
        z = y.transpose(1, 2) if kind == "temporal" else y  # [V, frame or token, n, d]
        source = z if context is None else context
        flat = z.flatten(0, 1)
        q = split_heads(flat @ weights["to_q"].T, heads)
        k, v = (split_heads(source.flatten(0, 1) @ weights[n].T, heads) for n in ("to_k", "to_v"))
        out = join_heads(attend(Site(name, kind), q, k, v)) @ weights["to_out"].T + weights["to_out_bias"]
        out = out.unflatten(0, z.shape[:2])
        return out.transpose(1, 2) if kind == "temporal" else out

    def stack(y: Any, attend: Any, context: Any) -> Any:
        y = y + layer("spatial", "spatial", y, attend)
        y = y + layer("temporal", "temporal", y, attend)
        y = y + layer("text", "text", y, attend, context)
        return y + layer("spatial2", "spatial", y, attend)

    pair = paired(script=False)
    for kind in ("spatial", "temporal"):
        assert far(layer(kind, kind, x, fused), data[f"{kind}_plain"]) <= 1e-5
        assert far(layer(kind, kind, x, pair), data[f"{kind}_cross"]) <= 1e-5
    context = data["context"]
    assert far(stack(x, fused, context), data["stack_plain"]) <= 1e-5
    for name, script in (("paper", False), ("script", True)):
        got = stack(x, paired(script=script), context)
        assert far(got, data[f"stack_{name}"]) <= 1e-5
        assert torch.equal(got[0], stack(x, fused, context)[0])
        features: dict[str, Any] = {}
        stack(x[:1], Record(features, script=script), context[:1])
        right = stack(x[1:], Replay(features, script=script), context[1:])
        assert far(right, data[f"stack_{name}"][1:]) <= 1e-5


class Counting:
    """The smallest network: it counts."""

    def __init__(self) -> None:
        self.evaluations = 0

    def left(self, z: Any, step: Any, branch: str, keep: bool) -> Any:
        self.evaluations += 1
        return 0.1 * z, {"q": z[..., :1]} if keep else None

    def right(self, z: Any, step: Any, branch: str, features: Any) -> Any:
        assert features is not None
        self.evaluations += 1
        return 0.1 * z


@pytest.mark.reference("counts*.json")
def test_counts_inside_the_network(case: Path) -> None:
    steps = VideoConfig.published("1024").schedule().steps(50, "uniform_trailing", 1.0)
    for one in json.loads(case.read_text("utf-8"))["cases"]:
        config = zero.ZeroConfig.preset(one["preset"])
        config = zero.replace(config, guidance=one["guidance"], warps=zero.replace(config.warps, last=one["last_warp"]))
        assert list(map(list, config.warps.in_force(config.restart.iterations).items())) == one["warps_in_force"]
        assert config.pair_steps(len(steps)) == one["pair_steps"]
        assert zero.counts(config, len(steps)) == (one["naive"], one["cached"])
        x = torch.randn(1, 4, 1, 2, 4, generator=torch.Generator().manual_seed(0))
        noise = [x] * 50
        recomputed = "cached_left_features_recomputed_once_per_iteration"
        for key, how in (("naive", {"cached": False}), ("cached", {}), (recomputed, None)):
            network = Counting()
            sampler = zero.ZeroSampler(network, steps, config, **(how or {}))
            for _ in sampler.left(x, noise):
                pass
            if how is None:
                sampler.store = FeatureStore()
            for _ in sampler.right(torch.rand(1, 2, 4), zero.Inputs(noise, noise, iter(noise * 9))):
                pass
            assert network.evaluations == one[key], (one["preset"], one["resolution"], key)
