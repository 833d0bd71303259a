"""Codec strings of films for browsers."""

import pytest

from stereocast.media import filmfacts
from stereocast.media.boxes import Box


@pytest.mark.parametrize("kind", [b"hvcC", b"av1C", b"avcC"])
@pytest.mark.parametrize("length", [0, 1, 2, 12])
def test_a_cut_off_configuration_is_no_error(kind: bytes, length: int) -> None:
    entry = Box({b"hvcC": b"hvc1", b"av1C": b"av01", b"avcC": b"avc1"}[kind], children=[Box(kind, bytes(length))])
    whole = {b"hvcC": 13, b"av1C": 3, b"avcC": 4}[kind]
    assert bool(filmfacts._video(entry)) == (length >= whole)
