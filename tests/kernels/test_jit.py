"""Kernels are compiled once for what they do, and kept wherever something can be kept."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stereocast.kernels import jit as jits
from stereocast.kernels.jit import jit, jit_turned
from tests.support.system import needs_modes

ROOT = Path(__file__).resolve().parents[2]
compiles = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="the compiler is off")


def _double(values: np.ndarray, out: np.ndarray) -> None:
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            out[y, x] = 2 * values[y, x]


@compiles
def test_reversed_pictures_need_no_compilation_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(kernel: object) -> object:
        compiled = jits._compiled(kernel, cache=False)  # type: ignore[type-var]
        made.append(compiled)
        return compiled

    monkeypatch.setattr(jits, "jit", counted)
    double = jit_turned("values", "out")(_double)
    for dtype in (np.uint8, np.uint16):
        values = np.arange(12, dtype=dtype).reshape(3, 4)
        for turn in (np.s_[:, :], np.s_[:, ::-1], np.s_[::-1]):
            out = np.zeros((3, 4), dtype)
            double(values[turn], out[turn])
            np.testing.assert_array_equal(out, 2 * values)
    assert len(made[0].signatures) == 2  # one for each kind of sample


@compiles
@needs_modes
def test_a_read_only_install_without_a_home_keeps_kernels_in_a_private_folder(tmp_path: Path) -> None:
    script = """
import numba.core.caching as caching
for locator in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):
    locator.ensure_cache_path = lambda self: (_ for _ in ()).throw(OSError("read-only"))
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
    assert list(folder.rglob("*.nbi"))


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")
def test_a_folder_that_others_can_write_to_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jits.tempfile, "gettempdir", lambda: str(tmp_path))
    place = jits.temporary_folder()
    assert place is not None
    place.chmod(0o777)
    assert jits.temporary_folder() is None


def test_without_any_folder_kernels_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = jits._compiled

    def nowhere(kernel: object, *, cache: bool) -> object:
        if cache:
            raise RuntimeError("no locator available")
        return real(kernel, cache=cache)  # type: ignore[type-var]

    monkeypatch.setattr(jits, "_compiled", nowhere)
    monkeypatch.setattr(jits, "temporary_folder", lambda: None)
    out = np.zeros((1, 2), np.uint8)
    jit(_double)(np.ones((1, 2), np.uint8), out)
    assert (out == 2).all()
