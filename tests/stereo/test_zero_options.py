"""The papers' controls as options: what each sets in the sampler, and what `paper` and `script` mean for depth."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.catalog import settle  # noqa: E402
from stereocast.depth import choice, crafter, dissolve  # noqa: E402
from stereocast.diffusion import schedules, zero  # noqa: E402
from stereocast.errors import UsageError  # noqa: E402
from stereocast.models.video import VideoConfig  # noqa: E402
from stereocast.settings import ConvertSettings, GenSettings  # noqa: E402
from stereocast.stereo import comfort, diffuse  # noqa: E402
from tests.diffusion.toy import Toy  # noqa: E402

ZERO = {"synth": "stereocrafter-zero", "quality": "paper"}


def config(steps: int = 50, **options: object) -> zero.ZeroConfig:
    settings = settle(ConvertSettings, {**ZERO, **options})
    return diffuse.zero_config(VideoConfig.published("1024"), settings, steps)


def test_lists_of_warps_and_repetitions() -> None:
    assert config().warps.in_force(5) == {9: 8, 14: 7, 19: 6, 24: 5, 29: 4, 34: 3}
    assert set(config(repetitions="off").warps.in_force(5).values()) == {1}
    assert config(repetitions="4,2").warps.in_force(5) == {9: 4, 14: 2, 19: 2, 24: 2, 29: 2, 34: 2}
    assert config(warp_at="20,10", repetitions="3,2", last_warp=20).warps.in_force(5) == {10: 3, 20: 2}
    assert config(last_warp=0).warps.in_force(5) == {}
    assert config(refine="latent").refine.mode == "latent"
    with pytest.raises(UsageError, match="repetitions"):
        settle(ConvertSettings, {"repetitions": "8;7"})


def test_cross_view_windows() -> None:
    assert config(cross_view="off").cross_view == (0, 0)
    assert config(cross_view="5-20").cross_view == (5, 20)
    assert (config().cross_view[0], config().cross_view_counts) == (0, "iterations")
    made = config(zero_preset="script")
    assert (made.cross_view, made.cross_view_counts) == ((25, 45), "pairs")
    with pytest.raises(UsageError, match="--cross-view 20-5"):
        config(cross_view="20-5")


class Watching(Toy):
    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.coupled: list[bool] = []

    def right(self, z: object, step: object, branch: str, features: object) -> object:
        if branch == "cond":
            self.coupled.append(features is not None)
        return super().right(z, step, branch, features)


def test_the_programs_window_counts_steps_of_the_pair_over_passes() -> None:
    def draw(seed: int) -> torch.Tensor:
        return torch.randn((1, 4, 2, 4, 6), generator=torch.Generator().manual_seed(seed))

    keys = {f"k{n}": 0.1 for n in range(7)}
    toy = Watching({"toy": keys, "prediction": "v"}, draw(1)[:, :, :1], draw(2)[:, :, :1])
    made = zero.ZeroConfig(
        restart=zero.Restart(3, 2), warps=zero.Warps((4,), (3,), 4), cross_view=(2, 7), cross_view_counts="pairs"
    )
    steps = schedules.linear(zero_snr=True, base_scale=0.7).steps(10, "uniform_trailing", 1.0)
    sampler = zero.ZeroSampler(toy, steps, made)
    sampler.given(draw(3), draw(4))
    list(sampler.right(torch.rand(2, 4, 6), zero.Inputs([draw(9)] * 10, [draw(8)] * 3)))
    assert toy.coupled == [False] * 2 + [True] * 5 + [False] * (made.pair_steps(10) - 7)


@pytest.mark.parametrize(("model", "step"), [("1024", 45), ("512", 40), ("256", 0)])
def test_paper_means_the_papers_depth_too(model: str, step: int) -> None:
    settings = settle(ConvertSettings, {**ZERO, "depth": "depthcrafter", "model": model})
    found = dissolve.recipe(settings)
    assert found == (dissolve.Recipe(dissolve.sigma_of(step)) if step else None)
    assert crafter.options_for(settings, (64, 64), "cpu", 4).guidance == 1.2
    assert choice.dissolve_of(settle(GenSettings, {"depth": "depthcrafter", "model": model})) == step
    for plain in ({"depth": "depthcrafter"}, {**ZERO, "depth": "depthcrafter", "dissolve": 0, "depth_guidance": 1.0}):
        made = settle(ConvertSettings, plain)
        assert (dissolve.recipe(made), choice.guidance_of(made)) == (None, 1.0)


def test_auto_strength_is_the_warps_rule() -> None:
    shallow = np.tile(np.linspace(0.4, 0.8, 64, dtype=np.float32), (2, 8, 1))
    deep = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (2, 8, 1))
    for settings in (ConvertSettings(**{**ZERO, "quality": "good"}), GenSettings(strength="auto")):
        for depth in (shallow, deep):
            assert diffuse.strength(settings, depth) == pytest.approx(comfort.auto_strength(depth))
    assert diffuse.strength(GenSettings(), deep) == 4.0
    assert diffuse.strength(ConvertSettings(**ZERO), deep) == 4.0
    assert diffuse.strength(ConvertSettings(**ZERO, strength="auto"), deep) == pytest.approx(100 / 60, rel=0.01)
