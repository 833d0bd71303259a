"""One encoder for each chunk, none beside it, and pictures that aren't copied for it."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast import catalog
from stereocast.media import encoder as encoders
from stereocast.media.encoder import PyavEncoder, _lent
from stereocast.media.profile import held, why_not
from stereocast.types import StreamInfo


def test_the_stream_s_own_context_encodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    with av.open(str(tmp_path / "out.mp4"), "w") as output:
        info = StreamInfo(64, 48, Fraction(1, 24), Fraction(24))
        encoder = PyavEncoder(output, info, catalog.encoder("x264"), None, threads=1, tagged=True)
        for chunk in range(3):
            used.append(encoder._context)
            for number in range(4):
                picture = np.full((72, 64), 40 * chunk + number, np.uint8)
                output.mux(encoder.encode(picture, 4 * chunk + number, 1))
            output.mux(encoder.flush())
            encoder.restart()
        assert all(context is not encoder.stream.codec_context for context in used)
        assert len(set(map(id, used))) == 3
    with av.open(str(tmp_path / "out.mp4")) as film:
        shown = [int(frame.to_ndarray()[:48].mean() + 0.5) for frame in film.decode(video=0)]
    assert shown == pytest.approx([40 * chunk + number for chunk in range(3) for number in range(4)], abs=2)


@pytest.mark.parametrize("height", [4, 6, 48, 50, 1082])
def test_a_lent_picture_arrives_whole_at_every_even_height(height: int) -> None:
    picture = np.random.default_rng(height).integers(16, 235, (height * 3 // 2, 32)).astype(np.uint8)
    frame = _lent(picture, "yuv420p")
    assert (frame.height, frame.width) == (height, 32)
    np.testing.assert_array_equal(frame.to_ndarray(), picture)


def shifting(width: int, height: int, ten_bit: bool) -> list[np.ndarray]:
    """A texture that moves a pixel a frame, so that motion leads out of the picture and back."""
    rng = np.random.default_rng(1)
    texture = np.kron(rng.integers(16, 235, (height, width // 4)), np.ones((2, 8), int))
    kind, scale = (np.uint16, 4) if ten_bit else (np.uint8, 1)
    pictures = []
    for number in range(14):
        noise = rng.integers(0, 12, (height * 3 // 2, width))
        shown = texture[number : number + height * 3 // 2, number : number + width] + noise
        pictures.append((shown * scale).astype(kind))
    return pictures


def test_threads_share_by_size(tmp_path: Path) -> None:
    for width, height, kind in ((1280, 720, "FRAME"), (2560, 720, "SLICE")):
        with av.open(str(tmp_path / "out.mp4"), "w") as output:
            info = StreamInfo(width, height, Fraction(1, 24), Fraction(24))
            encoder = PyavEncoder(output, info, catalog.encoder("x264"), None, threads=3, tagged=True)
            assert encoder._context.thread_type.name == kind
            output.mux(encoder.encode(np.zeros((height * 3 // 2, width), np.uint8), 0, 1))
            output.mux(encoder.flush())
    x264, x265 = catalog.encoder("x264"), catalog.encoder("x265")
    assert held(x264, 1280, 720) >= held(x264, 2560, 720) == x264.pictures
    assert held(x265, 1280, 720) == x265.pictures


@pytest.mark.parametrize("name", catalog.names("encoders"))
@pytest.mark.parametrize("width", [96, 256])
def test_the_same_packets_in_every_run(name: str, width: int) -> None:
    """Also with other memory about, and of an encoder that comes after another in its file, as after a resumed chunk."""
    if why_not(name):
        pytest.skip(why_not(name))
    profile, height = catalog.encoder(name), 144
    pictures = shifting(width, height, profile.pixel_format.bits > 8)
    found: list[list[bytes]] = []
    dirt = []
    for run in range(3):
        with av.open(io.BytesIO(), "w", format="matroska") as output:
            info = StreamInfo(width, height, Fraction(1, 24), Fraction(24))
            encoder = encoders.opened(output, info, profile, None, threads=0, tagged=False)
            for chunk in range(run + 1):  # each run has one encoder more
                dirt.append(np.full(width * height * (run + 3), 40 * run + chunk, np.uint8))
                packets = []
                for number, picture in enumerate(pictures):
                    packets += encoder.encode(picture, chunk * len(pictures) + number, 1)
                packets += encoder.flush()
                encoder.restart()
            found.append([bytes(packet) for packet in packets])
            encoder.close()
    assert len(found[0]) == len(pictures)
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.parametrize(("avx512", "width", "limited"), [(True, 192, True), (True, 256, False), (False, 192, False)])
def test_x264_stays_off_avx512_where_that_is_not_repeatable(
    avx512: bool, width: int, limited: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoders, "_has_avx512", lambda: avx512)
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        info = StreamInfo(width, 48, Fraction(1, 24), Fraction(24))
        encoder = PyavEncoder(output, info, catalog.encoder("x264"), None, threads=1, tagged=True)
        options = encoder._context.options
        with av.logging.Capture() as said:
            encoder.encode(np.full((72, width), 90, np.uint8), 0, 1)
        encoder.flush()
    assert ("x264-params" in options) == limited
    assert not [line for line in said if "rror parsing" in line[2]]
    assert isinstance(encoders._has_avx512(), bool)


@pytest.mark.parametrize(
    ("rate", "pictures"),
    [(Fraction(24), 48), (Fraction(60000, 1001), 120), (Fraction(1, 2), 1), (Fraction(1, 10), 1), (None, 60)],
)
def test_a_keyframe_at_least_every_two_seconds(rate: Fraction | None, pictures: int) -> None:
    """A fragment begins with one. Where a picture lasts longer, each is one."""
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        info = StreamInfo(64, 48, Fraction(1, 1000), rate)
        encoder = PyavEncoder(output, info, catalog.encoder("x264-fast"), None, threads=1, tagged=True)
        assert encoder.stream.codec_context.gop_size == encoder._context.gop_size == pictures
        picture, step = np.full((72, 64), 90, np.uint8), round(1000 / (rate or 30))
        packets = [packet for k in range(pictures + 1) for packet in encoder.encode(picture, k * step, step)]
        packets += encoder.flush()
    assert [packet.pts // step for packet in packets if packet.is_keyframe] == [0, pictures]


@pytest.mark.parametrize("via", ["pyav", "ffmpeg"])
def test_a_profile_is_encoded_where_it_says(via: str, monkeypatch: pytest.MonkeyPatch) -> None:
    external = pytest.importorskip("stereocast.media.external", reason="needs the ffmpeg extra")
    monkeypatch.setattr(external, "ExternalEncoder", lambda *given: given)
    profile = catalog.encoder("x264").model_copy(update={"via": via})
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        info = StreamInfo(64, 48, Fraction(1, 24), Fraction(24))
        made = encoders.opened(output, info, profile, 20, threads=1, tagged=True)
        if via == "ffmpeg":
            assert made == (output, info, profile, 20)
        else:
            assert isinstance(made, PyavEncoder)
