"""Inputs lead nowhere but to files and web addresses, and nothing that is brought along is run."""

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stereocast.errors import StereocastError, UsageError
from stereocast.jobs.convert import job
from stereocast.media import probe
from stereocast.settings import ConvertSettings
from tests.films import make_film
from tests.support import tree
from tests.support.tree import ROOT


@pytest.mark.parametrize(
    "name", ["ftp://host/film.mp4", "rtmp://host/live", "gopher://host/1", "smb://host/a", "unix://a", "tcp://host:1"]
)
def test_other_protocols_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="only http, https and file URLs"):
        probe.open_input(name)


@pytest.mark.parametrize(
    "name", ["concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4", "lavfi:testsrc", "cache:a.mp4"]
)
def test_ffmpeg_tricks_are_file_names(name: str) -> None:
    with pytest.raises(StereocastError, match="no such file"):
        probe.open_input(name)


@pytest.mark.parametrize(
    "inner", ["gopher://127.0.0.1:1/x", "ftp://127.0.0.1:1/x", "concat:/etc/passwd", "rtmp://127.0.0.1:1/x"]
)
def test_a_playlist_leads_to_no_other_protocol(tmp_path: Path, inner: str) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inner}\n#EXT-X-ENDLIST\n")
    with pytest.raises(StereocastError):
        job.prepare(str(playlist), tmp_path / "out.mp4", ConvertSettings())


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return subprocess.check_call, (["touch", "was-run"],)


@pytest.mark.parametrize("kind", ["depth", "disparity"])
def test_pickles_in_arrays_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    film = make_film(tmp_path / "film.mp4", frames=3, size=(48, 64))
    folder = tmp_path / "maps"
    folder.mkdir()
    np.save(folder / "0000.npy", np.array([_Harmful()], dtype=object), allow_pickle=True)
    (folder / "0001.npy").write_bytes(pickle.dumps(_Harmful()))
    for path in (folder / "0000.npy", folder / "0001.npy"):
        flags = {"depth": str(folder)} if kind == "depth" else {"disparity": path}
        made, source = job.prepare(
            str(film), tmp_path / "out.mp4", ConvertSettings(encoder="x264", overwrite=True, **flags)
        )
        with pytest.raises(StereocastError) as caught:
            job.convert(made, source)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "was-run").exists()


def test_checkpoints_are_read_as_tensors_only() -> None:
    for path in tree.modules():
        for line in path.read_text("utf-8").splitlines():
            if "torch.load(" in line:
                assert "weights_only=True" in line, path
            assert "allow_pickle=True" not in line, path
            assert "import pickle" not in line, path


def test_versions_are_pinned_and_audited() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in pin for pin in pins)
    assert {"numpy", "av", "torch"} <= {pin.split("==")[0] for pin in pins}
    workflow = ROOT / ".github/workflows/ci.yml"
    if not workflow.exists():
        pytest.skip("a source distribution carries no workflow")
    assert "pip-audit" in workflow.read_text()
