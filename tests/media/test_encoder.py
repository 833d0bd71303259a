"""One encoder for each chunk, none beside it, and pictures that aren't copied for it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast import catalog
from stereocast.media.encoder import PyavEncoder, _lent
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
