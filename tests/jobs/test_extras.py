"""What belongs to a film beside its streams: QuickTime metadata, covers, side-car subtitles; and films as pictures."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import SinkError, UsageError
from stereocast.jobs.convert import job
from stereocast.media import quicktime
from stereocast.settings import ConvertSettings
from tests.films import make_film, number_of

PHONE = {
    "com.apple.quicktime.location.ISO6709": "+48.1372+011.5756+519.000/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15 Pro",
    "com.apple.quicktime.creationdate": "2024-02-03T10:11:12+0100",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})


def convert(source: Path, output: Path, **flags: Any) -> job.Converted:
    made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264", **flags))
    return job.convert(made, opened)


def phone_film(path: Path) -> Path:
    """A .mov whose metadata are QuickTime's, as a phone writes it."""
    make_film(
        path,
        frames=4,
        size=(32, 64),
        audio=["aac"],
        metadata={"title": "Bergtour", "creation_time": "2024-02-03T09:11:12Z"},
    )
    quicktime.add(path, PHONE)
    return path


def facts(path: Path) -> tuple[dict[str, str], list[tuple[str, str]], int]:
    with av.open(str(path)) as box:
        frames = sum(1 for _ in box.decode(video=0))
        return dict(box.metadata), [(s.type, s.codec_context.name) for s in box.streams if s.codec_context], frames


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_phone_metadata_arrive(tmp_path: Path, suffix: str) -> None:
    source = phone_film(tmp_path / "in.mov")
    assert PHONE.items() <= facts(source)[0].items()
    convert(source, tmp_path / f"out{suffix}")
    metadata, streams, frames = facts(tmp_path / f"out{suffix}")
    lower = {key.lower(): value for key, value in metadata.items()}
    assert {key.lower(): value for key, value in PHONE.items()}.items() <= lower.items()
    assert lower["title"] == "Bergtour"
    assert lower["creation_time"].startswith("2024-02-03T09:11:12")
    assert (len(streams), frames) == (2, 4)


def covered(path: Path, tmp_path: Path) -> Path:
    """A film with a cover picture, in the container's own way."""
    data = cv2.imencode(".jpg", np.full((30, 20, 3), 120, np.uint8))[1].tobytes()
    if path.suffix == ".mp4":
        make_film(path, frames=4, size=(32, 64), audio=["aac"])
        quicktime.add(path, {}, (data, "mjpeg"))
        return path
    plain = make_film(tmp_path / "plain.mkv", frames=4, size=(32, 64), audio=["aac"])
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        out.add_attachment("cover.jpg", "image/jpeg", data)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return path


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_covers_arrive(tmp_path: Path, source: str, target: str) -> None:
    path = covered(tmp_path / f"in{source}", tmp_path)
    convert(path, tmp_path / f"out{target}")
    _, streams, frames = facts(tmp_path / f"out{target}")
    assert streams == [("video", "h264"), ("audio", "aac"), ("video", "mjpeg")]
    assert frames == 4
    with av.open(str(path)) as a, av.open(str(tmp_path / f"out{target}")) as b:
        pictures = [next(bytes(p) for p in box.demux(box.streams[2]) if p.size) for box in (a, b)]
    assert pictures[0] == pictures[1]


def test_what_is_left_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = covered(tmp_path / "in.mkv", tmp_path)
    convert(path, tmp_path / "live/index.m3u8")
    assert "1 cover picture(s) left out: hls can't hold it" in caplog.text


def test_side_cars_under_the_new_name(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4", frames=4, size=(32, 64))
    for name in ("film.srt", "film.de.srt", "film.en.forced.ass", "film2.srt", "other.srt", "film.txt"):
        (tmp_path / name).write_text(name)
    convert(source, tmp_path / "plain.mp4")
    assert not (tmp_path / "plain.srt").exists()
    convert(source, tmp_path / "out.mp4", sidecars=True)
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.de.srt",
        "out.en.forced.ass",
        "out.mp4",
        "out.srt",
    ]
    assert (tmp_path / "out.de.srt").read_text() == "film.de.srt"
    (tmp_path / "next.srt").write_text("mine")
    with pytest.raises(SinkError, match=r"next\.srt already exists"):
        convert(source, tmp_path / "next.mp4", sidecars=True)
    assert (tmp_path / "next.srt").read_text() == "mine"


def test_a_film_as_numbered_pictures(tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mp4", frames=5, size=(48, 160), audio=["aac"])
    pattern = tmp_path / "frames/f_%03d.png"
    assert convert(source, pattern).frames == 5
    names = sorted(path.name for path in pattern.parent.iterdir())
    assert names == [f"f_{n:03d}.png" for n in range(1, 6)]
    for n, name in enumerate(names):
        image = cv2.imread(str(pattern.parent / name))
        assert image.shape == (48, 320, 3)
        assert number_of(image[:, :160].mean(-1)) == n
    with pytest.raises(SinkError, match="already exists"):
        convert(source, pattern)
    convert(source, pattern, overwrite=True)
    back = convert(pattern, tmp_path / "back.mp4", source_layout="sbs")
    assert back.frames == 5
    with pytest.raises(UsageError, match="sequence of pictures"):
        convert(source, tmp_path / "p_%d.png", format="pair")
