"""Which stream is converted, and what is said of those that can't be."""

import logging
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from stereocast.errors import SourceError
from stereocast.media import probe
from stereocast.media.boxes import Box
from tests.media.small import pictures, track


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (ValueError("odd options"), "odd options"),
        (OSError("a socket"), "a socket"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_a_file_cannot_be_opened(
    tmp_path: Path, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(av, "open", fails)
    with pytest.raises(SourceError) as caught:
        probe.open_input(str(tmp_path / "a.mp4"))
    assert str(caught.value) == f"{tmp_path / 'a.mp4'} can't be opened: {said}"


DEFAULT = av.stream.Disposition.default.value


@pytest.mark.parametrize(
    ("flags", "chosen"), [([0], 0), ([0, 0], 0), ([0, DEFAULT], 1), ([0, DEFAULT, DEFAULT], 1), ([DEFAULT, 0, 0], 0)]
)
@pytest.mark.parametrize("quiet", [False, True])
def test_the_default_stream_is_converted_and_the_others_are_named(
    tmp_path: Path, flags: list[int], chosen: int, quiet: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), probe.open_input(str(pictures(tmp_path / "a.mkv", flags))) as container:
        assert probe.video_stream(container, "a", quiet=quiet).index == chosen
    left = [n for n in range(len(flags)) if n != chosen]
    assert [record.getMessage() for record in caplog.records] == [
        f"a: video stream {n} is left out (stream {chosen} is converted)" for n in left if not quiet
    ]


@pytest.mark.parametrize(("kind", "locked"), [(b"avc1", False), (b"encv", True), (b"drmi", True)])
def test_encrypted_films_are_refused(tmp_path: Path, kind: bytes, locked: bool) -> None:
    path = tmp_path / "a.mp4"
    stsd = Box(b"stsd", bytes(4) + (1).to_bytes(4, "big") + bytes(Box(kind, bytes(78))))
    moov = Box(b"moov", children=[track(b"vide", stsd)])
    path.write_bytes(bytes(Box(b"ftyp", b"isom")) + bytes(moov))
    with probe.open_input(str(pictures(tmp_path / "b.mkv", [0]))) as container:  # FFmpeg may name the codec inside
        if locked:
            with pytest.raises(SourceError, match=r"is encrypted \(DRM\)"):
                probe.video_stream(container, str(path))
        else:
            assert probe.video_stream(container, str(path)).index == 0
        assert probe.video_stream(container, str(tmp_path / "missing.mp4")).index == 0


@pytest.mark.parametrize(
    ("name", "still"),
    [("a.png", True), ("a.JPG", True), ("a.heic", True), ("a.mp4", False), ("http://host/a.png", False), ("a", False)],
)
def test_stills_by_their_names(name: str, still: bool) -> None:
    assert probe.is_image(name) is still


@pytest.mark.parametrize(
    ("average", "guessed", "rate"),
    [(Fraction(24), Fraction(25), "24"), (None, Fraction(30000, 1001), "30000/1001"), (None, None, None)],
)
def test_the_rate_of_a_track(average: Fraction | None, guessed: Fraction | None, rate: str | None) -> None:
    context = SimpleNamespace(name="h264", width=64, height=48, pix_fmt="yuv420p", profile="High", codec_tag="avc1")
    stream = SimpleNamespace(
        index=1, type="video", codec_context=context, average_rate=average, guessed_rate=guessed, frames=0,
        metadata={"title": "main"}, disposition=av.stream.Disposition.default,
    )  # fmt: skip
    [made] = probe.tracks(SimpleNamespace(streams=[stream]))
    assert (made.details["rate"], made.details["frames"], made.details["level"]) == (rate, None, None)
    assert (made.index, made.title, made.default) == (1, "main", True)
