"""Codec strings of films for browsers."""

from pathlib import Path

import pytest

from stereocast.media import filmfacts
from stereocast.media.boxes import Box
from tests.films import make_film


@pytest.mark.parametrize("kind", [b"hvcC", b"av1C", b"avcC"])
@pytest.mark.parametrize("length", [0, 1, 2, 12])
def test_a_cut_off_configuration_is_no_error(kind: bytes, length: int) -> None:
    entry = Box({b"hvcC": b"hvc1", b"av1C": b"av01", b"avcC": b"avc1"}[kind], children=[Box(kind, bytes(length))])
    whole = {b"hvcC": 13, b"av1C": 3, b"avcC": 4}[kind]
    assert bool(filmfacts._video(entry)) == (length >= whole)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_rotation_of_an_index_is_clockwise(tmp_path: Path, degrees: int) -> None:
    film = make_film(tmp_path / "in.mp4", frames=2, rotation=degrees)
    assert filmfacts._index(film)[0] == -degrees % 360  # the matrix turns it back
