"""HDR pictures as an SDR screen and a network see them."""

import numpy as np
import pytest

from stereocast.pictures import planes, tone
from stereocast.types import Colour, PixelFormat

SDR, WHITE = Colour(1, 1, 1), 0.5807  # the PQ signal of 203 cd/m²


def picture(level: float, transfer: int = tone.PQ) -> tuple[np.ndarray, Colour]:
    colour = Colour(9, transfer, 9)
    return planes.from_rgb(np.full((64, 96, 3), level, np.float32), PixelFormat.YUV420P10, colour), colour


def test_sdr_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(16, 235, (96, 96)).astype(np.uint8)
    given = image, PixelFormat.YUV420P, SDR, (20, 30)
    np.testing.assert_array_equal(tone.rgb(*given), planes.rgb(*given))


@pytest.mark.parametrize(("transfer", "white"), [(tone.PQ, WHITE), (tone.HLG, 0.75)])
def test_white_is_light_and_black_is_black(transfer: int, white: float) -> None:
    image, colour = picture(white, transfer)
    light = tone.rgb(image, PixelFormat.YUV420P10, colour)
    assert light.dtype == np.float32
    assert light == pytest.approx(0.82, abs=0.02)
    image, colour = picture(0, transfer)
    assert tone.rgb(image, PixelFormat.YUV420P10, colour).max() < 0.02
