"""Kernels are compiled once for what they do, and kept wherever something can be kept."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stereocast.kernels import kept
from stereocast.kernels.jit import Kernel, jit, jit_turned
from tests.support.system import needs_modes

ROOT = Path(__file__).resolve().parents[2]
compiles = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="the compiler is off")
keeps = pytest.mark.skipif(not kept.possible(), reason="Numba keeps the code here")


def _double(values: np.ndarray, out: np.ndarray) -> None:
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            out[y, x] = 2 * values[y, x]


@jit
def _share(value: float, count: int) -> float:
    return value / count


@jit
def _sum(values: np.ndarray, by: float, whole: bool) -> float:
    total = 0.0
    for n in range(values.size):
        total += _share(values[n], by) if whole else values[n]
    return total


@compiles
def test_reversed_pictures_need_no_compilation_of_their_own() -> None:
    double = jit_turned("values", "out")(_double)
    for dtype in (np.uint8, np.uint16):
        values = np.arange(12, dtype=dtype).reshape(3, 4)
        for turn in (np.s_[:, :], np.s_[:, ::-1], np.s_[::-1]):
            out = np.zeros((3, 4), dtype)
            double(values[turn], out[turn])
            np.testing.assert_array_equal(out, 2 * values)
    assert isinstance(double, Kernel)
    assert len(double.known) == 2  # one for each kind of sample


@compiles
@keeps
def test_kept_code_says_what_numba_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    values = np.random.default_rng(0).normal(size=40)
    given = (values[::2], np.float32(4), True)
    made = Kernel(_sum.py_func)  # type: ignore[attr-defined]
    fresh = made(*given)
    assert fresh == pytest.approx(values[::2].sum() / 4)
    (path,) = tmp_path.glob("*.code")
    again = Kernel(made.py_func)
    monkeypatch.setattr(Kernel, "_compiled", lambda self, kinds: pytest.fail("compiled again"))
    assert again(*given) == fresh
    monkeypatch.undo()
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    path.write_bytes(path.read_bytes()[:-9])  # LLVM would end the process over this
    assert Kernel(made.py_func)(*given) == fresh
    assert path.stat().st_size > 0


@compiles
@keeps
def test_code_of_another_convention_is_left_to_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    monkeypatch.setattr(kept, "_flat", lambda kinds: ["ptr", "i64"])
    assert Kernel(_sum.py_func)(np.ones(3), np.float32(1), False) == 3  # type: ignore[attr-defined]
    assert not list(tmp_path.glob("*.code"))


@compiles
def test_where_code_cannot_be_kept_in_our_way_numba_keeps_it(tmp_path: Path) -> None:
    script = """
from stereocast.kernels import kept
kept.possible = lambda: False
import numpy as np
from stereocast.kernels import cpu
shifted, _, empty = cpu.warp_subpixel(np.full((1, 4, 16), 7, np.uint8), np.zeros((4, 16), np.float32))
assert (shifted == 7).all() and not empty.any()
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert list(tmp_path.rglob("*.nbi"))
    assert not list(tmp_path.rglob("*.code"))


@compiles
@keeps
def test_a_kernel_that_makes_arrays_is_left_to_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)

    def buffered(values: np.ndarray) -> float:
        return np.ones(values.size).sum() + values.sum()

    assert jit(buffered)(np.ones(3)) == 6
    assert not list(tmp_path.glob("*.code"))


@compiles
def test_a_kernel_of_tuples_is_left_to_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)

    def of_pair(pair: tuple[np.ndarray, np.ndarray]) -> float:
        return pair[0][0] + pair[1][0]

    kernel = jit(of_pair)
    assert kernel((np.ones(3), np.ones(2))) == 2
    assert kernel((np.ones(3, np.float32), np.ones(2))) == 2
    assert not list(tmp_path.glob("*.code"))


@compiles
@needs_modes
def test_a_read_only_install_without_a_home_keeps_kernels_in_a_private_folder(tmp_path: Path) -> None:
    script = """
from pathlib import Path
from stereocast.kernels import kept
kept.places = lambda: [Path("/proc/none")]
import numpy as np
from stereocast.kernels import cpu
out = np.zeros((2, 2), np.float32)
cpu.halve_disparity(np.ones((4, 4), np.float32), out)
assert (out == 0.5).all()
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_CACHE_DIR", None)
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    (folder,) = tmp_path.glob("stereocast-kernels-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path for path in folder.iterdir() if path.suffix in (".code", ".nbi")]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")
def test_a_folder_that_others_can_write_to_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept.tempfile, "gettempdir", lambda: str(tmp_path))
    place = kept.temporary_folder()
    assert place is not None
    place.chmod(0o777)
    assert kept.temporary_folder() is None


def test_without_any_folder_kernels_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: None)
    out = np.zeros((1, 2), np.uint8)
    jit(_double)(np.ones((1, 2), np.uint8), out)
    assert (out == 2).all()


def test_a_number_of_threads_compiles_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = kept.fingerprint.__wrapped__
    usual = fingerprint()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert fingerprint() == usual
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert fingerprint() != usual
