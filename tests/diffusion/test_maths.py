"""Schedules, guidance and sampling as pure functions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import guidance, latents, samplers, schedules  # noqa: E402
from stereocast.errors import UsageError  # noqa: E402


def test_no_step_count_gives_nan() -> None:
    schedule = schedules.linear(zero_snr=True, base_scale=0.7)
    for count in range(1, 130):
        try:
            steps = schedule.steps(count, "uniform_trailing", 1.0)
        except UsageError as error:
            assert "use " in str(error)
            continue
        values = [v for s in steps for v in (s.direction, s.sigma, s.alpha, s.scale, s.scale_prev)]
        assert np.isfinite(values).all(), count


@pytest.mark.parametrize("count", [3, 9, 27, 101])
def test_uniform_counts_that_leave_the_schedule_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="use"):
        schedules.timesteps(count, "uniform")


def test_zero_terminal_snr_ends_at_zero_and_keeps_the_first() -> None:
    plain, zero = schedules.linear(), schedules.linear(zero_snr=True)
    assert zero.alphas_cumprod[-1] == 0
    assert zero.alphas_cumprod[0] == pytest.approx(plain.alphas_cumprod[0])


def test_guidance_one_is_the_conditional_prediction() -> None:
    cond, uncond = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    assert torch.allclose(guidance.classifier_free(cond, uncond, 1.0), cond, atol=1e-6)
    full = guidance.rescaled(guidance.classifier_free(cond, uncond, 7.5), cond, 1.0)
    assert torch.allclose(full.std((1, 2)), cond.std((1, 2)), rtol=1e-5)
    assert torch.allclose(guidance.three_way(cond, cond, uncond, 7.5, 1.0), cond, atol=1e-6)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_perfect_network_finds_the_clean_latent(prediction: str) -> None:
    schedule = schedules.linear()
    steps = schedule.steps(50, "uniform", 1.0)
    clean = torch.randn(1, 4, 3, 8, 8)

    def network(x: torch.Tensor, step: schedules.Step) -> torch.Tensor:
        eps = (x - step.signal * clean) / step.noise
        return eps if prediction == "eps" else step.signal * eps - step.noise * clean

    source = latents.generator(0, 1)
    shape = tuple(clean.shape)
    start = latents.noised(clean, steps[0], latents.noise(shape, source))
    *_, last = samplers.sample(network, start, steps, prediction, lambda n: latents.noise(shape, source))
    assert torch.allclose(last.result.x0, clean, atol=1e-3)


def test_noise_depends_on_its_place_alone() -> None:
    def draw(*place: int) -> torch.Tensor:
        return latents.noise((3, 3), latents.generator(7, *place))

    assert torch.equal(draw(1, 2), draw(1, 2))
    assert not torch.equal(draw(1, 2), draw(2, 1))


def test_blending_holds_what_is_known() -> None:
    step = schedules.linear().steps(10, "uniform", 0.0)[-1]
    x, known, mask = torch.zeros(1, 4), torch.ones(1, 4), torch.tensor([[1.0, 1, 0, 0]])
    assert torch.equal(latents.blended(x, known, mask, step, None), mask)
