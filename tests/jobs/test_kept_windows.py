"""Diffusion windows kept beside the journal: a resumed run samples only the open one."""

import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")

from stereocast import api, registry  # noqa: E402
from stereocast.depth.embedded import EmbeddedDepth  # noqa: E402
from stereocast.jobs.convert import kept_windows  # noqa: E402
from stereocast.jobs.convert.chunks import Identity  # noqa: E402
from stereocast.models.video import VideoModel  # noqa: E402
from tests.films import make_film  # noqa: E402
from tests.models import tiny  # noqa: E402


def pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    predict, calls = VideoModel.predict, []

    def count(self: Any, *given: Any, **more: Any) -> Any:
        calls.append(given[1])
        return predict(self, *given, **more)

    monkeypatch.setattr(VideoModel, "predict", count)
    return calls


def test_killed_in_the_third_window_it_samples_that_one_alone(
    tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "film.mp4", frames=10, size=(64, 96))
    options = {
        "synth": "stereocrafter-zero", "weights": [f"dynamicrafter={tiny.write(tmp_path / 'weights', '512')}"],
        "steps": 2, "cfg": 1.0, "restart_passes": 1, "restart_steps": 1, "zero_window": 4, "zero_overlap": 1,
        "zero_holes": 0.0, "encoder": "x264", "depth": "embedded", "full_view": True, "device": "cpu",
    }  # fmt: skip
    whole = api.convert(source, tmp_path / "whole.mp4", **options)
    each, remainder = divmod(len(counted), 3)
    assert (whole.frames, remainder) == (10, 0)
    output = tmp_path / "killed" / "film.mp4"
    output.parent.mkdir()
    folder, left, predict = kept_windows.windows_folder(output), tmp_path / "left", VideoModel.predict

    def fatal(self: Any, *given: Any, **more: Any) -> Any:
        if kept_windows.count(folder) == 2:
            shutil.copytree(output.parent, left)  # as kill -9 would leave it
            raise KeyboardInterrupt
        return predict(self, *given, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(VideoModel, "predict", fatal)
        api.convert(source, output, **options)
    shutil.rmtree(output.parent)
    left.rename(output.parent)
    assert not output.exists()
    assert kept_windows.count(folder) == 2
    counted.clear()
    api.convert(source, output, **options, resume=True)
    assert len(counted) == each
    assert np.array_equal(pictures(output), pictures(tmp_path / "whole.mp4"))
    assert not folder.exists()


def test_a_run_that_begins_again_forgets_them(tmp_path: Path) -> None:
    folder = tmp_path / "out.windows.part"
    kept = kept_windows.KeptWindows(folder, Identity({"a": 1}, {}, "1/25"))
    arrays = {"latents1": np.arange(12, dtype=np.float32).reshape(1, 3, 4), "scale": np.array([2.0, 0.5, 1.0])}
    pts = np.arange(4)
    kept.save((0, 2), pts, arrays)
    found = kept.load((0, 2), pts)
    assert found is not None
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert kept.load((0, 2), pts + 1) is None
    assert kept.load((0, 3), pts) is None
    assert kept_windows.KeptWindows(folder, Identity({"a": 2}, {}, "1/25")).load((0, 2), pts) is None
    path = folder / "0-2.part"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert kept.load((0, 2), pts) is None
    path.write_bytes(b"somebody else's")
    assert kept.load((0, 2), pts) is None
    kept_windows.clear(folder)
    assert path.exists()


def test_windows_of_depth_and_synthesis_stand_side_by_side_on_a_bounded_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, pts = tmp_path / "out.windows.part", np.arange(4)
    arrays = {"latents": np.arange(2000, dtype=np.float32)}
    stereo, depth = (kept_windows.KeptWindows(folder, Identity({}, {}, "1/25"), k) for k in ("", kept_windows.DEPTH))
    monkeypatch.setattr(kept_windows, "_MOST", 5 * 8200)
    stereo.save((0, 0), pts, {"latents": arrays["latents"] + 1})
    for window in range(2):
        depth.save((0, window), pts, arrays)
    found, other = depth.load((0, 0), pts), stereo.load((0, 0), pts)
    assert found is not None and other is not None and not np.array_equal(found["latents"], other["latents"])
    for window in range(6):
        depth.save((1, window), pts, arrays)
    there = sorted(path.name for path in folder.iterdir())
    assert len(there) == 4 and all(name.startswith("depth-1-") for name in there)
    kept_windows.clear(folder)
    assert not folder.exists()


def test_a_conversion_gives_depth_its_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DepthCrafter does with it is tested beside it."""
    seen: list[Any] = []

    class Asks(EmbeddedDepth):
        keeper: Any = None

        def __call__(self, clips: Any) -> Any:
            seen.append(self.keeper)
            return super().__call__(clips)

    monkeypatch.setattr(registry, "load", lambda kind, what, name, load=registry.load: (
        Asks if kind is registry.DEPTH else load(kind, what, name)
    ))  # fmt: skip
    source = make_film(tmp_path / "film.mp4", frames=4, size=(64, 96))
    api.convert(source, tmp_path / "out.mp4", encoder="x264")
    assert [type(keeper) for keeper in seen] == [kept_windows.KeptWindows]
    seen[0].save((0, 0), np.arange(2), {"latents": np.zeros(3, np.float32)})
    assert [path.name for path in seen[0].folder.iterdir()] == ["depth-0-0.part"]
