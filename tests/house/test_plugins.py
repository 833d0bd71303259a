"""A separate package adds a depth estimator with one file and one entry point."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stereocast import registry
from stereocast.errors import UnknownName, UsageError
from stereocast.types import PixelFormat
from tests.contracts import suites
from tests.films import make_film, read_film
from tests.support.commands import stereocast

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/luma_depth"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built from a copy and installed into a separate folder; nothing is downloaded."""
    import shutil

    source = tmp_path_factory.mktemp("source") / "luma_depth"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("site")
    words = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--quiet", "--target", str(target)]
    made = subprocess.run([sys.executable, "-m", "pip", "install", *words, str(source)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return target


def run(installed: Path, *words: object) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(installed), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "stereocast", *map(str, words)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def test_it_is_one_file_and_one_entry_point(installed: Path) -> None:
    assert sorted(path.name for path in EXAMPLE.iterdir() if path.suffix) == ["luma_depth.py", "pyproject.toml"]
    assert (EXAMPLE / "pyproject.toml").read_text().count("stereocast.depth") == 1


def test_convert_with_it(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_film(tmp_path / "film.mp4", frames=6, size=(48, 64))
    done = run(installed, "convert", film, "-o", tmp_path / "out.mp4", "--depth", "luma", "--encoder", "x264")
    assert done.returncode == 0, done.stderr
    assert "depth: luma (requested)" in done.stderr
    assert len(read_film(tmp_path / "out.mp4")["frames"]) == 6
    monkeypatch.syspath_prepend(str(installed))
    registry._found.cache_clear()
    assert "luma" in stereocast("doctor").stdout
    wrong = stereocast("convert", film, "--depth", "lumma")
    assert wrong.exit_code == 2
    assert "did you mean 'luma'?" in wrong.stderr


def test_it_keeps_the_contract(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    import luma_depth

    from stereocast.settings import EstimatorSettings

    settings = EstimatorSettings(depth_size=64)
    suites.estimator_contract(lambda info: luma_depth.LumaDepth(settings, info), PixelFormat.YUV420P)


def points(monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
    found = [
        SimpleNamespace(
            name=name, module=target.split(":")[0], attr=target.split(":")[1], dist=SimpleNamespace(name="theirs")
        )
        for name, target in named.items()
    ]
    registry._found.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: found if group == "stereocast.synth" else [])


@pytest.fixture(autouse=True)
def afresh() -> Any:
    yield
    registry._found.cache_clear()


def test_a_synthesis_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stereocast import api

    points(monkeypatch, shift="tests.fakes:ShiftSynthesizer", warp="no_such_module:Warp", broken="no_such_module:X")
    film = make_film(tmp_path / "film.mp4", frames=4, size=(48, 64))
    assert api.convert(film, tmp_path / "out.mp4", synth="shift", depth="embedded", encoder="x264").frames == 4
    assert registry.load(registry.SYNTH, "synthesis", "warp").__name__ == "WarpSynthesizer"  # our own names win
    with pytest.raises(UsageError, match=r"synthesis 'broken' \(from theirs\) can't be loaded: ModuleNotFoundError"):
        api.convert(film, tmp_path / "b.mp4", synth="broken", depth="embedded")
    with pytest.raises(UnknownName, match=r"did you mean 'shift'\?"):
        api.plan(film, tmp_path / "c.mp4", synth="shifts")


def test_extras_are_those_of_the_project_file() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    known = set(extras) - {"all", "bench", "training", "dev", "docs"}
    assert set(registry.EXTRAS) == known
    shelves = (registry.DEPTH, registry.SYNTH, registry.GENERATORS, registry.ENGINES)
    assert {one.extra for shelf in shelves for one in shelf.values() if one.extra} <= known

    def packages(extra: str) -> set[str]:
        found: set[str] = set()
        for line in extras[extra]:
            name = line.split(">")[0].split("[")[0]
            found |= packages(line[line.index("[") + 1 : line.index("]")]) if name == "stereocast" else {name}
        return found

    for extra, modules in registry.EXTRAS.items():
        names = {name.replace("-", "_").removesuffix("_python") for name in packages(extra)}
        assert set(modules) <= names, extra
