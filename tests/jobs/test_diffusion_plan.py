"""Conversion by diffusion before it begins, and its bar: weights, arithmetic, film rate, windows that aren't drawn."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")

from typer.testing import CliRunner  # noqa: E402

from stereocast import api  # noqa: E402
from stereocast.cli import build  # noqa: E402
from stereocast.cli.progress import Bar  # noqa: E402
from stereocast.errors import OutOfMemory, UsageError, WeightsError  # noqa: E402
from stereocast.models import checkpoints  # noqa: E402
from stereocast.models.video import VideoConfig, VideoModel  # noqa: E402
from stereocast.pipeline.progress import Progress  # noqa: E402
from stereocast.settings import ConvertSettings  # noqa: E402
from stereocast.stereo import diffuse_film, sampling  # noqa: E402
from tests.films import make_film  # noqa: E402
from tests.models import tiny  # noqa: E402
from tests.support.diffused import FAST, INFO, clips  # noqa: E402

ZERO: dict[str, Any] = {"synth": "stereocrafter-zero", "encoder": "x264", "depth": "embedded", "device": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("weights"), "512")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=26, size=(64, 96))


def test_missing_weights_are_found_in_a_dry_run(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    words = ["convert", str(film), "-o", str(tmp_path / "out.mp4"), "--synth", "stereocrafter-zero", "--dry-run"]
    run = CliRunner().invoke(build("convert"), words)
    assert run.exit_code == 1
    assert "weights 'dynamicrafter-1024' aren't downloaded" in run.stderr
    run = CliRunner().invoke(build("convert"), [*words, "--model", "512"])
    assert "dynamicrafter-512" in run.stderr
    with pytest.raises(WeightsError, match=r"contains no model\.safetensors"):
        api.plan(film, tmp_path / "out.mp4", **ZERO, weights=[f"dynamicrafter={tmp_path}"])
    with pytest.raises(UsageError, match="--disparity works only with --synth warp"):
        api.plan(film, tmp_path / "out.mp4", **ZERO, disparity=film)


def test_a_bare_path_is_the_video_models(film: Path, folder: Path, tmp_path: Path) -> None:
    made = api.plan(film, tmp_path / "out.mp4", **{**ZERO, "depth": "auto"}, weights=[str(folder)])
    assert made.diffusion is not None


def test_the_plan_says_what_each_level_costs(film: Path, folder: Path, tmp_path: Path) -> None:
    found = {}
    for quality in ("draft", "good", "paper"):
        words = ["convert", str(film), "-o", str(tmp_path / "out.mp4"), "--dry-run", "--json", "--quality", quality]
        words += ["--synth", "stereocrafter-zero", "--weights", str(folder), "--device", "cpu", "--depth", "embedded"]
        run = CliRunner().invoke(build("convert"), words)
        assert run.exit_code == 0, run.stderr
        found[quality] = json.loads(run.stdout)["diffusion"]
    assert [found[q]["evaluations_a_window"] for q in found] == [20, 100, 322]  # 1024: 20, 96, 314
    assert [found[q]["windows"] for q in found] == [2, 2, 2]
    assert found["draft"]["hours_at_most"] is not None
    assert found["paper"]["models"] == ["dynamicrafter-1024"]


def test_the_model_is_told_the_films_rate() -> None:
    large, small = VideoConfig.published("1024"), VideoConfig.published("256")
    assert [sampling.stride_of(large, Fraction(rate), None) for rate in (3, 24, 60)] == [5, 24, 30]
    assert [sampling.stride_of(small, Fraction(rate), None) for rate in (8, 24, 60)] == [4, 1, 1]
    assert sampling.stride_of(large, Fraction(24), 7) == 7
    assert sampling.stride_of(large, None, None) == large.fs


def test_prompt_and_rate_reach_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    conditions = VideoModel.conditions

    def watched(self: Any, prompt: str, *given: Any, **more: Any) -> Any:
        seen.append((prompt, more["fs"]))
        return conditions(self, prompt, *given, **more)

    monkeypatch.setattr(VideoModel, "conditions", watched)
    settings = ConvertSettings(**FAST, zero_window=4, zero_overlap=1, prompt="a boat", full_view=True)
    told: list[Progress] = []
    stage = diffuse_film.ZeroSynthesizer(settings, INFO, checkpoints.load(folder))
    stage.progress = told.append
    list(stage(clips(4)))
    assert seen == [("a boat", 25)]
    assert [at.done for at in told] == list(range(1, told[-1].total or 0)) + [told[-1].total]
    assert {(at.phase, at.frames) for at in told} == {("window", 4)}


def test_the_bar_moves_within_a_window() -> None:
    bar = Bar("film", 100, quiet=True)
    bar(Progress("frames", 12, 100))
    bar(Progress("window", 1, 4, frames=12))
    task = bar._progress.tasks[0]
    assert (task.completed, task.fields["window"]) == (15, "window 25%")
    bar(Progress("frames", 24, 100))
    assert task.completed == 24


def test_small_and_known_holes_keep_the_classical_fill(folder: Path) -> None:
    stage = diffuse_film.ZeroSynthesizer(
        ConvertSettings(**FAST, zero_window=4, zero_overlap=1, zero_holes=100.0), INFO, checkpoints.load(folder)
    )
    out = list(stage(clips(7)))
    assert sum(len(clip) for clip in out) == 7
    assert (stage.classical, stage.sampling.evaluations) == (2, 0)


def test_memory_that_runs_out_makes_windows_smaller(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card on which more than 3 frames never fit: first it saves, then windows are halved; every frame comes out."""
    predict, lengths = VideoModel.predict, []

    def scarce(self: Any, x: Any, *given: Any, **more: Any) -> Any:
        if x.shape[2] > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        lengths.append(x.shape[2])
        return predict(self, x, *given, **more)

    monkeypatch.setattr(VideoModel, "predict", scarce)
    settings = ConvertSettings(**FAST, zero_window=8, zero_overlap=1, full_view=True)
    stage = diffuse_film.ZeroSynthesizer(settings, INFO, checkpoints.load(folder))
    out = list(stage(clips(8)))
    assert sum(len(clip) for clip in out) == 8
    assert (stage.sampling.budget, stage.model.offload, stage.model.tile) == (0, True, sampling.SMALL_TILE)
    assert set(lengths) == {4, 5}
    monkeypatch.setattr(VideoModel, "predict", lambda *given, **more: scarce(None, torch.zeros(1, 4, 9, 1, 1)))
    with pytest.raises(OutOfMemory, match="--synth warp"):
        list(stage(clips(8)))


def test_windows_in_a_batch_are_held_at_both_ends(folder: Path) -> None:
    settings = ConvertSettings(**FAST, zero_window=4, zero_overlap=1, zero_batch=3, full_view=True)
    stage = diffuse_film.ZeroSynthesizer(settings, INFO, checkpoints.load(folder))
    groups: list[list[Any]] = []
    latents = stage.sampling.latents

    def watched(windows: Any, *given: Any) -> Any:
        made = latents(windows, *given)
        groups.append(
            [
                (w.place[1], w.before[1] is not None, w.after[1] is not None, x[1])
                for w, x in zip(windows, made, strict=True)
            ]
        )
        return made

    stage.sampling.latents = watched  # type: ignore[method-assign]
    out = list(stage(clips(10)))
    assert [len(clip) for clip in out] == [4, 3, 3]
    assert [[one[:3] for one in group] for group in groups] == [
        [(0, False, False), (2, False, False)],
        [(1, True, True)],
    ]
    first, last, middle = groups[0][0][3], groups[0][1][3], groups[1][0][3]
    assert torch.equal(middle[:, :, :1], first[:, :, -1:])
    assert torch.equal(middle[:, :, -1:], last[:, :, :1])
    assert np.isfinite(np.concatenate([clip.right for clip in out]).astype(float)).all()
