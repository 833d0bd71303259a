"""What a muxer is asked for, and what is said when a file can't be written."""

import errno
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stereocast.media import writer
from stereocast.types import Layout, PackedClip, StereoFormat

PLAIN = {"max_interleave_delta": "1000000", "flush_packets": "1"}


def sink(path: str | None = "out.mp4", container: str = "mp4", base: Fraction = Fraction(1, 1000)) -> Any:
    made: Any = writer.VideoSink.__new__(writer.VideoSink)
    made.options = SimpleNamespace(container=container, info=SimpleNamespace(time_base=base))
    made.path = None if path is None else Path(path)
    made.target = None if path is None else writer.part_path(made.path)
    made._opener = made._feed = made._part = None
    return made


@pytest.mark.parametrize(
    ("path", "container", "base", "options"),
    [
        ("a.mp4", "mp4", Fraction(1, 1000), {
            "video_track_timescale": "1000", "movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1800000",
        }),
        (None, "mp4", Fraction(1, 25), {
            "video_track_timescale": "25", "movflags": "+frag_keyframe+delay_moov+default_base_moof", "frag_duration": "1800000",
        }),
        ("a.mp4", "fmp4", Fraction(1001, 30000), {
            "movflags": "+frag_keyframe+delay_moov+default_base_moof", "frag_duration": "1800000",
        }),
        ("a.mkv", "mkv", Fraction(1, 1000), {}),
        ("live", "hls", Fraction(1, 1000), {
            "hls_time": "2", "hls_segment_type": "fmp4", "hls_playlist_type": "event",
            "hls_flags": "independent_segments+temp_file", "hls_segment_filename": str(Path("live/segment_%05d.m4s")),
            "hls_fmp4_init_filename": "init.mp4",
        }),
    ],
)  # fmt: skip
def test_fragments_and_segments_of_two_seconds(
    path: str | None, container: str, base: Fraction, options: dict[str, str]
) -> None:
    assert sink(path, container, base)._muxer_options() == PLAIN | options


@pytest.mark.parametrize(
    ("error", "touched", "said"),
    [
        (OSError(errno.ENOSPC, "x"), True,
         "disk full while writing out.mp4; finished work is kept in out.part.mp4; free some space and run again with --resume"),
        (OSError(errno.ENOSPC, "x"), False, "disk full while writing out.mp4; free some space and run again"),
        (OSError(errno.ENOSPC, "x"), None, "disk full while writing out.mp4; free some space and run again"),
        (OSError(errno.EDQUOT, "x"), None, "disk quota used up while writing out.mp4; free some space and run again"),
        (OSError(errno.EPIPE, "x"), None, "the program reading standard output has closed it"),
        (OSError(errno.EROFS, "x"), None, "out.mp4 can't be written: the disk is read-only"),
        (OSError("odd"), None, "writing out.mp4 failed: odd"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_error(error: OSError, touched: bool | None, said: str) -> None:
    made = sink()
    if touched is not None:
        made._part = SimpleNamespace(touched=touched)
    assert str(made._failure(error)) == said
    made._feed = SimpleNamespace(error=error)
    assert str(made._failure(ValueError("hidden by FFmpeg"))) == said


def test_standard_output_is_named() -> None:
    assert str(sink(None)._failure(OSError("odd"))) == "writing standard output failed: odd"


def test_each_eye_gets_its_view() -> None:
    given: list[tuple[str, int, bool]] = []

    class Eye:
        frames = 3

        def __init__(self, name: str) -> None:
            self.name = name

        def write(self, clip: PackedClip) -> None:
            given.append((self.name, int(clip.frames[0, 0, 0, 0]), clip.second is None))

        def finish(self) -> None:
            given.append((self.name, -1, True))

        def close(self) -> None:
            given.append((self.name, -2, True))

    left, right = (np.full((1, 2, 4, 3), value, np.uint8) for value in (10, 20))
    pair = writer.PairSink(Eye("left"), Eye("right"))
    pair.write(PackedClip(left, np.arange(1), StereoFormat(Layout.PAIR), second=right))
    pair.finish()
    pair.close()
    assert pair.frames == 3
    assert given == [
        ("left", 10, True), ("right", 20, True), ("left", -1, True), ("right", -1, True), ("left", -2, True), ("right", -2, True),
    ]  # fmt: skip
