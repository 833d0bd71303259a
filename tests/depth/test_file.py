"""A folder of depth maps that the user supplies."""

from pathlib import Path

import numpy as np
import pytest

from stereocast.depth.file import folder_maps, read_map
from stereocast.errors import SourceError


def test_the_suffix_may_be_in_capitals(tmp_path):
    values = np.random.default_rng(0).random((4, 5), np.float32)
    with (tmp_path / "MAP.NPY").open("wb") as file:
        np.save(file, values)
    assert np.array_equal(read_map(tmp_path / "MAP.NPY"), values)


@pytest.mark.parametrize("name", ["map.png", "map.npy", "map.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no map"])
def test_a_damaged_map_is_a_source_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        read_map(tmp_path / name)


def test_a_map_of_text_is_a_source_error(tmp_path):
    np.save(tmp_path / "map.npy", np.array([["a", "b"]]))
    with pytest.raises(SourceError, match="must hold numbers"):
        read_map(tmp_path / "map.npy")


def test_maps_of_a_folder_come_in_natural_order(tmp_path):
    for value, name in enumerate(("a1²3.npy", "a2.npy", "a10.npy")):
        np.save(tmp_path / name, np.full((2, 2), value, np.float32))
    assert [int(values[0, 0]) for values in folder_maps(tmp_path)] == [0, 1, 2]


def test_unknown_depth_is_the_farthest(tmp_path: Path) -> None:
    values = np.linspace(0.2, 1, 48, dtype=np.float32).reshape(6, 8)
    holes = values.copy()
    holes[0, :3], holes[1, 0], holes[2, 0] = np.nan, np.inf, -np.inf
    np.save(tmp_path / "a.npy", holes)
    found = read_map(tmp_path / "a.npy")
    known = np.isfinite(holes)
    np.testing.assert_array_equal(found[known], values[known])
    np.testing.assert_array_equal(found[~known], values[known].min())
    np.save(tmp_path / "b.npy", np.full((6, 8), np.nan, np.float32))
    with pytest.raises(SourceError, match="no finite depth"):
        read_map(tmp_path / "b.npy")
