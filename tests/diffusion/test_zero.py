"""Properties of StereoCrafter-Zero's sampler on toy networks."""

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import samplers, schedules, warped, zero  # noqa: E402
from tests.diffusion.toy import Toy  # noqa: E402

K = {"k0": -0.5, "k1": 0.2, "k2": 0.3, "k3": 0.1, "k4": 0.2, "k5": 0.3, "k6": 0.9}
SHAPE = (1, 4, 4, 6, 10)
COUNT = 10
CONFIG = zero.ZeroConfig(
    scale_percent=36.0, restart=zero.Restart(2, 2), warps=zero.Warps((4, 6), (3, 2), 6), guidance=3.0
)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(seed))


def run(config: zero.ZeroConfig, depth: torch.Tensor, held: zero.Held | None = None) -> tuple[zero.ZeroSampler, list]:
    steps = schedules.linear(zero_snr=True, base_scale=0.7).steps(COUNT, "uniform_trailing", 1.0)
    toy = Toy({"toy": K, "prediction": "v"}, draw(1, 1, 4, 1, 6, 10), draw(2, 1, 4, 1, 6, 10))
    sampler = zero.ZeroSampler(toy, steps, config)
    noise = [draw(10 + i) for i in range(COUNT)]
    for _ in sampler.left(draw(3), noise):
        pass
    inputs = zero.Inputs(noise, [draw(50 + i) for i in range(9)], iter(draw(70 + i) for i in range(99)), draw(4))
    return sampler, list(sampler.right(depth, inputs, held))


@pytest.mark.parametrize("preset", ["paper", "script"])
@pytest.mark.parametrize("scale", [36.0, -36.0, 0.0])
def test_zero_disparity_gives_the_left_view_bit_for_bit(preset: str, scale: float) -> None:
    config = zero.replace(zero.ZeroConfig.preset(preset).scaled(COUNT), scale_percent=scale)
    config = zero.replace(config, refine=zero.replace(config.refine, noise="same"))  # fresh draws are the right's own
    depth = torch.rand(4, 6, 10) if scale == 0 else torch.zeros(4, 6, 10)
    sampler, walk = run(config, depth)
    assert torch.equal(walk[-1].result.x, sampler.levels[-1])


def test_the_left_view_is_plain_sampling() -> None:
    sampler, _ = run(CONFIG, torch.rand(4, 6, 10))
    toy, steps = sampler.network, sampler.steps

    def network(x: torch.Tensor, step: schedules.Step) -> torch.Tensor:
        cond, uncond = (toy.left(x, step, branch, False)[0] for branch in ("cond", "uncond"))
        out = zero.guidance.classifier_free(cond, uncond, CONFIG.guidance)
        return zero.guidance.rescaled(out, cond, CONFIG.guidance_rescale)

    walk = samplers.sample(network, draw(3), steps, "v", lambda n: draw(10 + n))
    for done, level in zip(walk, sampler.levels[1:], strict=True):
        assert torch.equal(done.result.x, level)


def test_between_repetitions_only_holes_change() -> None:
    depth = torch.rand(4, 6, 10, generator=torch.Generator().manual_seed(1))
    sampler, walk = run(CONFIG, depth)
    blank = warped.Warp(depth, CONFIG.scale_percent, 1.0).blank
    turns = [at for at in walk if at.phase == "refine" and at.iteration == 4]
    assert len(turns) == 3
    for before, after in zip(turns, turns[1:], strict=False):
        changed = (before.x_in != after.x_in).any(1)[0]
        assert not (changed & ~blank).any()
        assert changed.any()


def test_progress_counts_every_step() -> None:
    _, walk = run(CONFIG, torch.rand(4, 6, 10))
    assert [at.done for at in walk] == list(range(1, walk[-1].total + 1))
    assert walk[-1].total == CONFIG.pair_steps(COUNT) == 2 * 2 + 8 + 2 + 1


def test_held_frames_stay_on_their_level() -> None:
    held = zero.Held(draw(5, 1, 4, 2, 6, 10), draw(6, 1, 4, 2, 6, 10))
    sampler, walk = run(CONFIG, torch.rand(4, 6, 10), held)
    for at in walk:
        assert torch.equal(at.x_in[:, :, :2], held.at(sampler.steps[at.iteration]))


@pytest.mark.parametrize("fill", ["left", "noise", "mix"])
def test_filling_strategies_differ_in_the_first_holes_alone(fill: str) -> None:
    depth = torch.rand(4, 6, 10, generator=torch.Generator().manual_seed(1))
    config = zero.replace(CONFIG, fill=fill, restart=zero.replace(CONFIG.restart, border_lambda=None))
    sampler, walk = run(config, depth)
    warp = warped.Warp(depth, config.scale_percent, 1.0)
    want = {"left": sampler.levels[0], "noise": draw(4), "mix": (sampler.levels[0] + draw(4)) / 2**0.5}[fill]
    holes = warp.blank.expand(SHAPE)
    assert torch.equal(walk[0].x_in[holes], want[holes])


def test_lists_are_stretched_to_other_step_counts() -> None:
    short = zero.ZeroConfig().scaled(25)
    assert short.warps.last == 17
    assert max(short.warps.iterations) < 25
    assert zero.ZeroConfig().scaled(2).pair_steps(2) > 0
    assert zero.counts(zero.ZeroConfig(), 50) == (528, 314)
    assert zero.counts(zero.ZeroConfig.preset("script"), 50) == (588, 344)


@pytest.mark.parametrize("snr", [True, False])
def test_sampling_from_inverted_latents_returns_the_film(snr: bool) -> None:
    steps = schedules.linear(zero_snr=snr, base_scale=0.7 if snr else None).steps(COUNT, "uniform", 0.0)
    toy = Toy({"toy": {**K, "k6": 0.3}, "prediction": "v"}, draw(1, 1, 4, 1, 6, 10), draw(2, 1, 4, 1, 6, 10))
    clean = draw(5)
    errors = []
    for rounds in (1, 20):
        sampler = zero.ZeroSampler(toy, steps, zero.replace(CONFIG, guidance=1.0))
        assert list(sampler.inverted(clean, rounds)) == list(range(COUNT))[::-1]
        assert torch.equal(sampler.levels[-1], clean)
        levels = sampler.levels
        for _ in sampler.left(levels[0], [torch.zeros(SHAPE)] * COUNT):
            pass
        errors.append(float((sampler.levels[-1] - steps[-1].scale_prev * clean).abs().max()))
    assert errors[1] < 1e-3
    assert errors[1] < errors[0]
