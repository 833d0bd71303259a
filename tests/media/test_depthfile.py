"""Depth as a video: maps come back as they were written, at their times, and a file that fails leaves nothing behind."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.errors import SinkError
from stereocast.media import depthfile
from stereocast.types import StreamInfo

INFO = StreamInfo(32, 16, Fraction(1, 1000), Fraction(25))
MAPS = np.random.default_rng(0).random((3, 16, 32), np.float32)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as film:
        return [frame.pts * frame.time_base for frame in film.decode(video=0)]  # type: ignore[operator]


@pytest.mark.parametrize(("metric", "top"), [(False, 1.0), (True, 10.0)])
def test_maps_come_back(tmp_path: Path, metric: bool, top: float) -> None:
    path = tmp_path / "a/b/depth.mkv"
    sink = depthfile.DepthSink(path, INFO, metric=metric)
    sink.write(MAPS[:2] * top, np.array([0, 40]))
    sink.write(np.stack([MAPS[2] * top * 2 - 0.5]), np.array([100]))
    assert not path.exists()
    sink.finish()
    found, is_metric = depthfile.depth_maps(str(path))
    read = np.stack(list(found))
    assert is_metric == metric
    wanted = np.concatenate([MAPS[:2] * top, np.clip(MAPS[2:] * top * 2 - 0.5, 0, top)])
    assert np.abs(read - wanted).max() <= 0.51 * top / 65535
    assert times(path) == [Fraction(0), Fraction(40, 1000), Fraction(100, 1000)]
    assert [each.name for each in path.parent.iterdir()] == ["depth.mkv"]


def test_any_grey_video_is_depth(tmp_path: Path) -> None:
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gray"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((16, 32), 51, np.uint8), format="gray")))
        out.mux(stream.encode(None))
    found, metric = depthfile.depth_maps(str(path))
    assert (next(found)[3, 4], metric) == (pytest.approx(0.2), False)


def test_a_file_that_was_closed_early_or_cannot_be_written(tmp_path: Path) -> None:
    depthfile.DepthSink(tmp_path / "none.mkv", INFO).close()
    assert list(tmp_path.iterdir()) == [], "nothing was written, nothing stays"
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(SinkError, match="can't be written"):
        depthfile.DepthSink(tmp_path / "file/depth.mkv", INFO)
    kept = tmp_path / "kept.mkv"
    kept.write_bytes(b"mine")
    sink = depthfile.DepthSink(kept, INFO, overwrite=False)
    sink.write(MAPS[:1], np.array([0]))
    with pytest.raises(SinkError, match="kept.mkv"):
        sink.finish()
    assert kept.read_bytes() == b"mine"
