"""Parts of a film that were converted during playback become one file: no packet lost, none twice."""

from pathlib import Path

import av
import pytest

from stereocast.errors import OutputExists, SinkError
from stereocast.media import joined
from stereocast.types import Layout, StereoFormat
from tests.media.small import beeps, flash_film, flashes, packets

FORM = StereoFormat(Layout.SBS)


def part(folder: Path, number: int, at: float) -> Path:
    """A playlist of 2 s with a flash and a beep at `at`, on a clock of its own."""
    film = flash_film(folder / f"film{number}.mp4", seconds=2, at=at, sound="aac")
    playlist = folder / f"part{number}.m3u8"
    options = {
        "hls_time": "1",
        "hls_list_size": "0",
        "hls_segment_type": "fmp4",
        "hls_fmp4_init_filename": f"head{number}.mp4",
    }
    with av.open(str(film)) as source, av.open(str(playlist), "w", format="hls", options=options) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return playlist


def test_parts_follow_one_another_in_step(tmp_path: Path) -> None:
    parts = [(part(tmp_path, 0, 1.0), 0.0), (part(tmp_path, 1, 0.5), 2.0)]
    told: list[float] = []
    joined.join(parts, tmp_path / "out.mp4", FORM, told.append)
    found = packets(tmp_path / "out.mp4")
    first = min(pts for _, pts in found["video"])
    assert sorted(round((pts - first) * 25) for _, pts in found["video"]) == list(range(100))
    sound = sorted(pts for _, pts in found["audio"])
    gaps = [round((b - a) * 48000) for a, b in zip(sound, sound[1:], strict=False)]
    assert 0 < min(gaps)
    assert max(gaps) == 1024
    assert len(sound) < 4 * 48000 / 1024 + 4, "the sound past the end of a part isn't there twice"
    assert flashes(tmp_path / "out.mp4") == pytest.approx([1.0, 2.5], abs=0.05)
    assert beeps(tmp_path / "out.mp4") == pytest.approx([1.0, 2.5], abs=0.07)
    assert len(told) == len(found["video"]) + len(found["audio"])
    assert max(told) == pytest.approx(4, abs=0.1)


def test_a_part_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="can't be written"):
        joined.join([(tmp_path / "none.m3u8", 0.0)], tmp_path / "out.mp4", FORM)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"mine")
    with pytest.raises(OutputExists, match="already exists"):
        joined.join([(part(tmp_path, 0, 1.0), 0.0)], tmp_path / "out.mp4", FORM)
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"
