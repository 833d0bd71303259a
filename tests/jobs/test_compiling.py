"""Kernels are compiled ahead, in several processes, and what is compiled ahead is what a conversion calls."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stereocast import api
from stereocast.jobs.convert import compiling
from stereocast.kernels.jit import Kernel
from stereocast.types import PixelFormat
from tests.films import make_film

compiles = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="the compiler is off")


class Helper:
    """A process that compiles at once."""

    def __init__(self, groups: list[str], stamps: dict[str, Path]) -> None:
        self.groups, self.waited = groups, False
        for group in groups:
            stamps[group].touch()

    def wait(self) -> int:
        self.waited = True
        return 0

    def kill(self) -> None:
        assert self.waited


def test_groups_are_dealt_out_among_processes_and_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = {group: tmp_path / group for group in compiling.GROUPS}
    here: list[str] = []
    helpers: list[Helper] = []

    def begun(groups: list[str], form: PixelFormat) -> Helper:
        helpers.append(Helper(groups, stamps))
        return helpers[-1]

    monkeypatch.setattr(compiling, "_stamps", lambda form: stamps)
    monkeypatch.setattr(compiling, "_spawn", begun)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(compiling, "GROUPS", {group: lambda form, group=group: here.append(group) for group in stamps})
    compiling.ahead(PixelFormat.YUV420P)
    assert here == ["warp", "edges"]
    assert [helper.groups for helper in helpers] == [["fill", "motion"]]
    assert compiling.missing(PixelFormat.YUV420P) == []
    compiling.ahead(PixelFormat.YUV420P)
    assert len(here) == 2
    assert len(helpers) == 1


def test_a_helper_that_fails_leaves_its_part_to_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = {group: tmp_path / group for group in compiling.GROUPS}
    monkeypatch.setattr(compiling, "_stamps", lambda form: stamps)
    monkeypatch.setattr(compiling, "_spawn", lambda groups, form: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(compiling, "GROUPS", {group: lambda form: None for group in stamps})
    compiling.ahead(PixelFormat.YUV420P)
    assert compiling.missing(PixelFormat.YUV420P) == ["fill", "edges", "motion"]


def test_a_program_that_is_no_interpreter_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.sys, "executable", "/opt/film/editor")
    assert compiling._spawn(["warp"], PixelFormat.YUV420P) is None


def test_a_helper_begins_and_ends() -> None:
    helper = compiling._spawn([], PixelFormat.YUV420P)
    assert helper is not None
    assert helper.wait() == 0


def test_without_a_cache_nothing_is_compiled_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_stamps", lambda form: {})
    assert compiling.missing(PixelFormat.YUV420P) == []


@compiles
def test_what_is_compiled_ahead_is_all_that_a_conversion_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_film(tmp_path / "film.mp4", frames=10, size=(96, 192))
    for compile_group in compiling.GROUPS.values():
        compile_group(PixelFormat.YUV420P)
    asked: list[str] = []
    make: Any = Kernel._made

    def made(self: Any, kinds: Any) -> Any:
        asked.append(f"{self.py_func.__name__}{kinds}")
        return make(self, kinds)

    monkeypatch.setattr(Kernel, "_made", made)
    api.convert(film, tmp_path / "out.mp4", encoder="x264", depth="embedded")
    assert not asked


@compiles
def test_a_later_run_needs_no_compiler(tmp_path: Path) -> None:
    """Numba costs more than the first frame: what it made is called without it, and anything else brings it in."""
    film = make_film(tmp_path / "film.mp4", frames=10, size=(96, 192))
    compiling.ahead(PixelFormat.YUV420P)
    assert compiling.missing(PixelFormat.YUV420P) == []
    script = """
import sys
import numpy as np
from stereocast import api
from stereocast.kernels import cpu, kept
api.convert(sys.argv[1], sys.argv[2], encoder="x264", depth="embedded")
print("numba" in sys.modules)
kept.load = lambda *_: None
cpu.halve_disparity(np.ones((4, 4), np.float32), np.zeros((2, 2), np.float32)[:, ::-1])
print("numba" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(film), str(tmp_path / "out.mp4")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.split() == ["False", "True"]
