"""SVT-AV1 as root takes real-time priority for this process: the rest of the machine would stand still."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from stereocast import catalog
from stereocast.media import priority, profile
from stereocast.media.encoder import PyavEncoder
from tests.media.small import convert, numbered_film

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="scheduling classes are read on Linux")
needs_svt = pytest.mark.skipif(bool(profile.why_not("svtav1")), reason="no SVT-AV1")


def may_rise() -> bool:
    """Whether this process may take real-time priority; only then do these tests prove something."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def test_a_rise_is_undone_for_every_thread() -> None:
    if not may_rise():
        pytest.skip("real-time priority isn't permitted")
    with pytest.raises(ValueError, match="within"), priority.kept():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
        assert len(priority.real_time()) == 1
        raise ValueError("within")
    assert not priority.real_time()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_system_that_cannot_tell_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Alpine, whose C library has no such functions."""

    def missing(*_: Any) -> Any:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    for name in ("sched_getscheduler", "sched_getparam", "sched_setscheduler"):
        monkeypatch.setattr(os, name, missing)
    with priority.kept():
        assert priority.real_time() == []


@needs_svt
def test_probing_an_encoder_leaves_the_priority() -> None:
    assert not profile._open(catalog.encoder("svtav1"))
    assert not priority.real_time()


@needs_svt
def test_encoding_leaves_the_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_stages: None) -> None:
    seen: list[list[int]] = []
    encode = PyavEncoder.encode

    def watched(self: PyavEncoder, *given: Any) -> Any:
        seen.append(priority.real_time())
        packets = encode(self, *given)
        seen.append(priority.real_time())
        return packets

    monkeypatch.setattr(PyavEncoder, "encode", watched)
    convert(numbered_film(tmp_path / "in.mp4", 8), tmp_path / "out.mp4", encoder="svtav1")
    assert len(seen) == 16
    assert not any(seen)
