"""The memory bill: what stages say themselves, and what a process really takes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stereocast import api, registry
from stereocast.jobs import assembly, plan
from stereocast.pipeline.stages import cost_of
from stereocast.settings import ViewSettings
from tests.contracts import suites
from tests.films import make_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("bill") / "film.mp4", frames=6, size=(96, 192))


def bill(film: Path, **options: Any) -> dict[str, int]:
    return api.plan(film, film.parent / "out.mp4", **{"encoder": "x264", "depth": "embedded", **options}).memory


def test_stereocrafter_zero_costs_its_window(film: Path, tmp_path: Path) -> None:
    if not registry.SYNTH["stereocrafter-zero"].installed:
        pytest.skip("needs the diffusion extra")
    from tests.models import tiny

    weights = [str(tiny.write(tmp_path / "weights", "512"))]
    given = {"synth": "stereocrafter-zero", "device": "cpu", "feature_budget_gb": 1.0, "weights": weights}
    plain = bill(film)["synthesis"]
    zero = bill(film, **given)["synthesis"]
    assert zero > plain + 16 * 96 * 192 * 1.5 + 1e9
    longer = bill(film, **given, zero_window=32)["synthesis"]
    assert longer - zero == 4 * 16 * 96 * 192 * 3 // 2


def test_every_part_follows_its_cause(film: Path) -> None:
    plain = bill(film)
    assert bill(film, fill="best")["synthesis"] > plain["synthesis"]
    assert bill(film, propagate=True)["depth"] == plain["depth"] + 8 * 96 * 192 * 3 // 2
    assert bill(film, scale=2.0)["reading"] > plain["reading"]
    assert bill(film, encoder="x265")["encoder"] > plain["encoder"]
    vr = bill(film, format="vr180", preset="cardboard", encoder="x265")
    assert vr["packing"] > 10e6
    assert vr["encoder"] > 20 * plain["encoder"]
    assert list(plain) == ["program", "reading", "clips", "depth", "synthesis", "queues", "packing", "encoder"]


@pytest.mark.parametrize(
    ("source", "picture", "frames"),
    [((1920, 1080), (3840, 1080), 2), ((2560, 1440), (2560, 1440), 2), ((3840, 2160), (3840, 2160), 1), ((1920, 1080), (5760, 2880), 1)],
)  # fmt: skip
def test_large_pictures_come_one_by_one(source: tuple[int, int], picture: tuple[int, int], frames: int) -> None:
    info = [replace(suites.info(), width=width, height=height) for width, height in (source, picture)]
    assert plan.clip_frames(*info) == frames


def test_what_a_stage_says_before_it_is_made_holds_afterwards() -> None:
    for options in ({}, {"fill": "best"}, {"strength": "auto"}):
        settings = ViewSettings(**options)  # type: ignore[arg-type]
        made = assembly.synthesizer(settings, suites.info(), 60.0)
        assert cost_of(type(made), settings, suites.info()).frames == made.held
    settings = ViewSettings(depth="embedded", propagate=True)
    depth, _ = assembly.costs(settings, suites.info(), "embedded")
    assert depth.frames == assembly.estimator(settings, suites.info()).held


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="peak memory of a child can't be read here")
@pytest.mark.parametrize(
    "options",
    [["--scale", "2"], ["--format", "vr180", "--preset", "quest3", "--encoder", "x265"], ["--scale", "4", "--encoder", "x265"]],
    ids=["sbs", "vr180", "4k"],
)  # fmt: skip
def test_within_a_quarter_of_the_measured_peak(options: list[str], tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=70, size=(540, 960))
    words = [
        sys.executable,
        "-m",
        "stereocast",
        "convert",
        str(film),
        "-o",
        str(tmp_path / "out.mp4"),
        "--depth",
        "embedded",
        "-q",
    ]
    dry = subprocess.run([*words, "--dry-run", "--json", *options], capture_output=True, text=True, check=True)
    billed = json.loads(dry.stdout)["memory_total_mb"]
    child = subprocess.Popen([*words, *options])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # known to Popen, too
    assert child.returncode == 0
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    assert 0.75 < billed / peak < 1.25, (billed, peak)
