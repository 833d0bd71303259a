"""Chunks, their journal, and the kept windows beside it: what is written down, what counts as the same film, what goes."""

import json
import logging
import os
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stereocast.errors import UsageError
from stereocast.jobs.comfort import ShotFigures
from stereocast.jobs.convert import chunks, kept_windows, resume
from stereocast.jobs.convert.chunks import Chunk, Chunker, Identity, Journal
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, PackedClip, Shot, StereoFormat

FILM = Identity({"preset": "quest3", "depth_size": None}, {"size": 3}, "1/25")


def cut_at(cuts: dict[int, int], count: int, base: Fraction = Fraction(1)) -> list[Chunk]:
    """The chunks of `count` frames, one a tick; a shot begins at each of `cuts`, with this number."""
    chunker, shot = Chunker(base), Shot()
    for tick in range(count):
        shot = Shot(cuts[tick], tick) if tick in cuts else shot
        chunker.begins(tick, shot)
    chunker.end()
    chunker.end()
    return chunker.done


@pytest.mark.parametrize(
    ("cuts", "count", "ends"),
    [
        ({}, 1, [0]),
        ({}, 20, [19]),
        ({}, 21, [19, 20]),  # twenty seconds at most
        ({3: 1}, 9, [8]),  # too short for a cut to count
        ({4: 1}, 9, [3, 8]),
        ({3: 1, 5: 2}, 9, [4, 8]),
        ({4: 1, 7: 2, 8: 3}, 10, [3, 7, 9]),
        ({19: 1}, 45, [18, 38, 44]),
    ],
    ids=str,
)
def test_where_chunks_end(cuts: dict[int, int], count: int, ends: list[int]) -> None:
    found = cut_at(cuts, count)
    assert [chunk.last for chunk in found] == ends
    assert [chunk.first for chunk in found] == [0, *(end + 1 for end in ends[:-1])]
    assert [chunk.frames for chunk in found] == [chunk.last - chunk.first + 1 for chunk in found]
    assert found[-1].after is None
    for chunk in found[:-1]:  # the shot that the next frame belongs to, wherever it began
        begun = max((tick for tick in cuts if tick <= chunk.last + 1), default=0)
        assert chunk.after == Shot(cuts.get(begun, 0), begun)


def test_seconds_are_counted_in_the_films_ticks() -> None:
    assert [chunk.frames for chunk in cut_at({}, 100, Fraction(1, 2))] == [40, 40, 20]


def test_no_frames_make_no_chunk() -> None:
    assert cut_at({}, 0) == []


def test_the_journal_says_what_was_written_down(tmp_path: Path) -> None:
    path = chunks.journal_path(tmp_path / "out.v1.mkv")
    assert path.name == "out.v1.part.json"
    assert chunks.beside_journal(path).name == "out.v1.part.json.new"
    journal = Journal(path, FILM)
    chunker = Chunker(Fraction(1), journal)
    for tick in range(25):
        chunker.begins(tick, Shot(7, 0, 99))
    chunker.end()
    journal.comfort.append(asdict(ShotFigures(0.0, 3, -1.0, 0.0, 1.0, 0, 0.5)))
    journal.add(Chunk(20, 24, 5, None, "film.sections.part/00000.part.mp4"))
    found = Journal.load(path, FILM)
    assert found is not None
    assert found.chunks == [Chunk(0, 19, 20, Shot(7, 0, 99)), journal.chunks[-1]]
    assert found.comfort == journal.comfort
    assert path.read_text().startswith('{"stereocast": "journal"')
    assert list(Journal.chunks_of(path)) == [Chunk(0, 19, 20, None), journal.chunks[-1]]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    found.remove()
    assert Journal.load(path, FILM) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 1}, "another version of stereocast"),
        ({"version": 3}, "another version of stereocast"),
        ({"identity": {**asdict(FILM), "program": "0.0"}}, "another version of stereocast"),
        ({"identity": {**asdict(FILM), "more": 1}}, "can't be read"),
        ({"identity": {"program": FILM.program}}, "can't be read"),
        ({"chunks": [{"first": 0}]}, "can't be read"),
        ({"chunks": 3}, "can't be read"),
        ({"identity": [1]}, "can't be read"),
    ],
    ids=str,
)
def test_journals_that_do_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "out.part.json"
    Journal(path, FILM).save()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert Journal.load(path, FILM) is None
    assert said in caplog.text


def test_journals_of_other_films_are_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j", FILM).save()
    table = json.loads((tmp_path / "j").read_text())
    del table["comfort"]
    (tmp_path / "j").write_text(json.dumps(table))
    assert Journal.load(tmp_path / "j", FILM) is not None, "figures are a later addition"
    for settings, source, base, said in (
        ({"preset": "quest3", "depth_size": 4}, {"size": 3}, "1/25", "--depth-size was None and is now 4"),
        ({"preset": "quest3"}, {"size": 4}, "1/25", "the source has changed"),
        ({"preset": "quest3"}, {"size": 3}, "1/24", "the source has changed"),
    ):
        with pytest.raises(UsageError, match=said):
            Journal.load(tmp_path / "j", Identity(settings, source, base))


def test_old_and_broken_journals_still_name_their_chunks(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text(json.dumps({"segments": [{"first": 0, "last": 3, "frames": 4, "after": {"number": 1}}]}))
    assert Journal.chunks_of(path) == (Chunk(0, 3, 4, None),)
    for text in ("", "{}", '{"chunks": [1]}', '{"chunks": [{"first": 1}]}'):
        path.write_text(text)
        assert Journal.chunks_of(path) == ()
    assert Journal.chunks_of(tmp_path / "none") == ()


def test_a_source_is_known_by_its_size_time_and_ends(tmp_path: Path) -> None:
    film, mega = tmp_path / "film", 1 << 20
    data = bytearray(3 * mega)
    film.write_bytes(data)
    stamp = film.stat().st_mtime_ns
    before = chunks.fingerprint(str(film))
    assert before["size"] == 3 * mega

    def changed(place: int) -> bool:
        other = data.copy()
        other[place] ^= 1
        film.write_bytes(other)
        os.utime(film, ns=(stamp, stamp))
        return chunks.fingerprint(str(film)) != before

    assert [changed(place) for place in (0, mega - 1, 2 * mega, 3 * mega - 1)] == [True] * 4
    assert [changed(place) for place in (mega, 2 * mega - 1)] == [False] * 2
    film.write_bytes(data)
    os.utime(film, ns=(stamp + 1000, stamp + 1000))
    assert chunks.fingerprint(str(film)) != before
    assert chunks.fingerprint("https://films/a.mp4") == {"name": "https://films/a.mp4"}
    film.write_bytes(b"short")
    assert chunks.fingerprint(str(film))["size"] == 5


def test_settings_that_leave_the_picture_alone_do_not_count(tmp_path: Path) -> None:
    def key(encoder: str = "x264", base: Fraction = Fraction(1, 25), **options: Any) -> str:
        return chunks.identity(ConvertSettings(**options), "film.mp4", encoder, base).key

    assert key() == key(overwrite=True, resume=True, workers=4, spool=True, sidecars=True)
    assert key(encoder="x265") != key() != key(base=Fraction(1, 24))
    assert key(scale=0.5) != key()
    maps = tmp_path / "maps.mkv"
    maps.write_bytes(b"1")
    before = key(depth=str(maps))
    maps.write_bytes(b"22")
    assert key(depth=str(maps)) != before


def made_windows(folder: Path, kind: str, *places: tuple[int, int]) -> None:
    kept = kept_windows.KeptWindows(folder, FILM, kind)
    for place in places:
        kept.save(place, np.arange(3), {"a": np.zeros(250, np.float32)})


def names_in(folder: Path) -> list[str]:
    return [path.name.removesuffix(".part") for path in kept_windows._windows(folder)]


def test_windows_of_shots_long_encoded_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_windows, "_KEEP", 3)
    made_windows(tmp_path, "", (0, 0), (0, 1), (0, 10), (0, 2))
    assert names_in(tmp_path) == ["0-0", "0-1", "0-2", "0-10"], "those of the open shot stay"
    made_windows(tmp_path, kept_windows.DEPTH, (1, 0))
    made_windows(tmp_path, "", (1, 0))
    assert set(names_in(tmp_path)) == {"0-2", "0-10", "1-0", "depth-1-0"}
    made_windows(tmp_path, "", (2, 0), (2, 1), (2, 2), (2, 3))
    assert sorted(names_in(tmp_path)) == ["2-0", "2-1", "2-2", "2-3", "depth-1-0"]
    assert kept_windows.count(tmp_path) == 5
    assert kept_windows.count(tmp_path / "none") == 0


@pytest.mark.parametrize(("room", "kept"), [(4, 4), (3, 3), (2, 2)])
def test_windows_of_earlier_shots_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    made_windows(tmp_path, "", (0, 0))
    size = next(tmp_path.iterdir()).stat().st_size
    monkeypatch.setattr(kept_windows, "_MOST", room * size)
    caplog.set_level(logging.INFO)
    made_windows(tmp_path, "", (0, 1), (1, 0), (1, 1))
    wanted = ["0-0", "0-1", "1-0", "1-1"][4 - kept :]
    assert names_in(tmp_path) == wanted
    assert caplog.text == ""
    made_windows(tmp_path, "", (1, 2), (1, 3), (1, 4))
    assert names_in(tmp_path) == [f"1-{n}" for n in range(min(room, 5))], "those of the open shot aren't replaced"
    assert ("isn't kept" in caplog.text) == (room < 5)


def test_windows_that_are_cut_short_or_too_long_do_not_count(tmp_path: Path) -> None:
    kept = kept_windows.KeptWindows(tmp_path, FILM)
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.float64([0.5])}
    kept.save((3, 1), np.arange(3), arrays)
    path = tmp_path / "3-1.part"
    whole = path.read_bytes()
    found = kept.load((3, 1), np.arange(3))
    assert found is not None
    assert [(name, array.dtype, array.tolist()) for name, array in found.items()] == [
        (name, array.dtype, array.tolist()) for name, array in arrays.items()
    ]
    found["a"][0, 0] = 7  # it may be written to
    for data in (whole[:-1], whole + b"x", whole[3:], b"", b"x" + whole):
        path.write_bytes(data)
        assert kept.load((3, 1), np.arange(3)) is None


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("00000.part.mp4", True), ("00012.part.kept.part.mp4", True), ("00000.part.part.mkv", True),
        ("00000.part.mp4.tagging", True), ("00000.part.part.json", True), ("00000.part.part.json.new", True),
        ("0000.part.mp4", False), ("00000.mp4", False), ("00000.part.json.old.mp4", False), ("a00000.part.mp4", False),
    ],
)  # fmt: skip
def test_names_of_sections(name: str, ours: bool) -> None:
    assert bool(resume.SECTION_NAMES.fullmatch(name)) is ours


def test_frames_that_were_encoded_are_dropped_after_packing() -> None:
    frames = np.arange(9, dtype=np.uint8).repeat(12).reshape(9, 2, 2, 3)
    form = StereoFormat(Layout.PAIR)
    clips = [PackedClip(frames[n : n + 3], np.arange(n, n + 3), form, second=frames[n : n + 3] + 1) for n in (0, 3, 6)]
    found = list(resume._after(iter(clips), 3))
    assert [clip.pts.tolist() for clip in found] == [[4, 5], [6, 7, 8]]
    for clip in found:
        assert clip.second is not None
        assert clip.frames[:, 0, 0, 0].tolist() == clip.pts.tolist()
        assert (clip.second == clip.frames + 1).all()
    alone = PackedClip(frames[:3], np.arange(3), form)
    assert [clip.second for clip in resume._after(iter([alone]), 1)] == [None]
