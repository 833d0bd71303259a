"""The library: read once, kept, watched, asked for in pages; posters and thumbnails; what is remembered; native listings."""

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from stereocast.media import filmfacts, posters, spatial
from stereocast.serve import app as web
from stereocast.serve import library as libraries
from stereocast.serve import shelf, store, titles
from stereocast.serve.library import Library
from stereocast.serve.store import Index, Remembered
from stereocast.serve.thumbnails import Thumbnails
from stereocast.types import Layout, Projection, StereoFormat
from tests.films import make_film
from tests.serve.running import ask, post, running, said


def until(ready: Any, seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine reads few films in the time that a page has."""
    monkeypatch.setattr(web, "_PAGE_S", 30.0)


@pytest.fixture(scope="module")
def one_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("one") / "one.mp4", frames=6)


@pytest.fixture
def shelves(tmp_path: Path, one_film: Path) -> Path:
    root = tmp_path / "films"
    for n, name in enumerate(
        ["Part 10_LR.mp4", "Part 2_LR.mp4", "été/Plage.2019.3D.HSBS.1080p.x264.mp4", "été/mer/Vagues.mp4", "zoo.mp4"]
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one_film, path)
        os.utime(path, (1_000_000 + n, 1_000_000 + n))
    (root / "broken.mp4").write_bytes(b"no film")
    (root / ".hidden.mp4").write_bytes(one_film.read_bytes())
    (root / "x.part.mp4").write_bytes(one_film.read_bytes())
    return root


def names(answer: dict[str, Any]) -> list[str]:
    return [film["name"] for film in answer["films"]]


def test_pages_are_searched_ordered_and_by_folder(shelves: Path) -> None:
    with running(web.build(Library(shelves))) as url:
        everything = said(url, "/api/films")
        assert names(everything) == ["Part 2", "Part 10", "Plage (2019)", "Vagues", "zoo"]
        assert everything["pages"] == 1
        assert said(url, "/api/films")["total"] == 5  # the broken one is known by now
        assert names(said(url, "/api/films?size=2&page=2")) == ["Plage (2019)", "Vagues"]
        assert names(said(url, "/api/films?q=ETE+plage")) == ["Plage (2019)"]
        assert names(said(url, "/api/films?sort=added&size=1")) == ["zoo"]
        assert names(said(url, "/api/films?sort=added&order=asc&size=1")) == ["Part 10"]
        root = said(url, "/api/films?folder=")
        assert names(root) == ["Part 2", "Part 10", "zoo"]
        assert [(folder["name"], folder["films"]) for folder in root["folders"]] == [("été", 2)]
        below = said(url, "/api/films?folder=%C3%A9t%C3%A9")
        assert names(below) == ["Plage (2019)"]
        assert [folder["path"] for folder in below["folders"]] == ["été/mer"]
        assert names(said(url, "/api/films?folder=..")) == []
        for bad in ("page=0", "size=0", "size=201", "sort=x", "order=x", "page=-1", "page=1e9"):
            assert ask(url, f"/api/films?{bad}")[0] == 400, bad
        card = said(url, f"/api/films/{everything['films'][2]['id']}")
        assert (card["views"]["layout"], card["views"]["full"]) == ("left-right", False)
        assert card["known"]
        assert card["mime"].startswith('video/mp4; codecs="avc1.')
        assert ask(url, "/api/films/nothing")[0] == 404


def test_a_film_is_opened_once_for_good(shelves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = filmfacts.of_film
    monkeypatch.setattr(filmfacts, "of_film", lambda path: (opened.append(path.name), read(path))[1])
    first = Library(shelves, index=Index(tmp_path / "index.sqlite"))
    assert len(first.films()) == 5
    assert len(first.films()) == 5
    first.close()
    assert len(opened) == 6  # the broken one, too
    again = Library(shelves, index=Index(tmp_path / "index.sqlite"))
    assert len(again.films()) == 5
    assert len(opened) == 6
    os.utime(shelves / "zoo.mp4", (2_000_000, 2_000_000))
    assert len(again.films()) == 5
    assert opened[6:] == ["zoo.mp4"]
    (tmp_path / "index.sqlite").write_bytes(b"damaged" * 1000)
    assert len(Library(shelves, index=Index(tmp_path / "index.sqlite")).films()) == 5


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_a_damaged_row_costs_that_row_alone(tmp_path: Path, text: str | None) -> None:
    for name, kind in (("facts", Index), ("films", Remembered)):
        kind(tmp_path / name).close()
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as base, base:
            base.execute(f"INSERT INTO {name} (id, json) VALUES ('bad', ?)", (text,))
    with contextlib.closing(sqlite3.connect(tmp_path / "facts")) as base, base:
        base.execute("UPDATE facts SET version = ?", (store.FACTS,))
    index, remembered = Index(tmp_path / "facts"), Remembered(tmp_path / "films")
    index.save([("good", 1.0, 2, {"a": 1})])
    assert index.load() == {"good": (1.0, 2, {"a": 1})}
    assert remembered.get("bad")["position_s"] == 0
    index.close(), remembered.close()


def test_asking_for_one_film_walks_nothing(shelves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[Path] = []
    walk = shelf.walk
    monkeypatch.setattr(shelf, "walk", lambda root, known: (walks.append(root), walk(root, known))[1])
    library = Library(shelves)
    ids = [film.ident for film in library.films()]
    assert all(library.get(ident) is not None for ident in ids)
    assert len(walks) == 1


def test_subtitles_belong_to_their_film(tmp_path: Path, one_film: Path) -> None:
    for name in ("film.mp4", "film 2.mp4"):
        shutil.copy(one_film, tmp_path / name)
    for name in ("film.srt", "film.en.SRT", "film 2.srt", "filmed.srt", "film.fr.forced.ass", "film.txt"):
        (tmp_path / name).write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    with running(web.build(Library(tmp_path))) as url:
        second, first = said(url, "/api/films?sort=name&order=desc")["films"]
        assert [text["name"] for text in first["text_tracks"]] == ["film.en.SRT", "film.fr.forced.ass", "film.srt"]
        assert [(t["language"], t["forced"]) for t in first["text_tracks"]] == [
            ("en", False),
            ("fr", True),
            ("", False),
        ]
        assert second["texts"] == ["film 2.srt"]


def test_changes_are_noticed(shelves: Path, one_film: Path) -> None:
    library = Library(shelves, watch=True)
    with running(web.build(library)) as url:
        until(lambda: said(url, "/api/films")["indexed"] == 1)
        time.sleep(0.5)
        version = said(url, "/api/changes?since=-1")["version"]
        shutil.copy(one_film, shelves / "new.mp4")
        assert said(url, f"/api/changes?since={version}")["version"] != version
        until(lambda: "new" in names(said(url, "/api/films")))
        (shelves / "new.mp4").unlink()
        until(lambda: "new" not in names(said(url, "/api/films")))


def test_a_page_does_not_wait_for_slow_files(shelves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path) -> Any:
        time.sleep(0.25)
        raise libraries.SourceError("slow")

    monkeypatch.setattr(filmfacts, "of_film", slow)
    monkeypatch.setattr(web, "_PAGE_S", 0.4)
    with running(web.build(Library(shelves))) as url:
        answer = said(url, "/api/films")
        unread = [film for film in answer["films"] if not film["known"]]
        assert unread
        assert unread[-1]["name"] == "zoo"
        assert unread[-1]["duration_s"] is None


@pytest.mark.parametrize(
    ("stem", "title"),
    [
        ("Big.Film.2010.3D.HSBS.1080p.x264-GROUP", "Big Film (2010)"), ("holiday_LRF_Full_SBS", "holiday"),
        ("2001 A Space Odyssey (1968) 1080p", "2001 A Space Odyssey (1968)"), ("Mer ou montagne", "Mer ou montagne"),
        ("IMG_1234", "IMG 1234"), ("Dive VR180", "Dive"), ("v1.2 of it", "v1.2 of it"), ("3D", "3D"),
        ("1917", "1917"),
    ],
)  # fmt: skip
def test_names_become_titles(stem: str, title: str) -> None:
    assert titles.shown("", stem, (1920, 1080)) == title
    assert titles.shown("My Film", stem, (0, 0)) == "My Film"


def test_progress_is_remembered_for_all_devices(shelves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path_of_store = tmp_path / "state/films.sqlite"
    with running(web.build(Library(shelves, remembered=Remembered(path_of_store)))) as url:
        film = said(url, "/api/films?q=zoo")["films"][0]
        assert film["memory"]["position_s"] == 0
        path = f"/api/films/{film['id']}/memory"
        status, made = post(url, path, {"position_s": 7, "settings": {"swapped": True, "shift": 0.004, "text": 1}})
        assert (status, made["position_s"], made["settings"]["shift"]) == (200, 7, 0.004)
        _, made = post(url, path, {"settings": {"layout": "top-bottom", "text": None}})
        assert made["settings"] == {"swapped": True, "shift": 0.004, "layout": "top-bottom"}
        for bad in (
            [], {"position_s": -1}, {"position_s": "7"}, {"other": 1}, {"settings": {"a": []}}, {"settings": {"a": "x" * 300}},
            {"settings": {str(n): n for n in range(70)}}, {"seen": 1},
        ):  # fmt: skip
            assert post(url, path, bad)[0] == 400, bad
        assert ask(url, path, method="POST", body=b"[" * 5000)[0] == 400
        assert ask(url, path, method="POST", body=b"{" + b" " * 9000)[0] == 400
    facts = {"duration_s": 100.0, **filmfacts.of_film(shelves / "zoo.mp4")}
    monkeypatch.setattr(filmfacts, "of_film", lambda path: {**facts, "duration_s": 100.0})
    with running(web.build(Library(shelves, remembered=Remembered(path_of_store)))) as url:
        begun = said(url, "/api/films?watching=1")
        assert names(begun) == ["zoo"]
        post(url, path, {"seen": True})
        assert names(said(url, "/api/films?watching=1")) == []
        assert names(said(url, "/api/films?sort=watched&size=1")) == ["zoo"]
        deo = said(url, f"/deovr/{film['id']}")
        assert (deo["stereoMode"], deo["is3d"]) == ("tb", True)  # as set by hand


def test_native_players_are_told_our_tags(tmp_path: Path) -> None:
    spatial.tag_file(
        make_film(tmp_path / "dive.mp4", frames=3, size=(96, 192)),
        StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0),
    )
    make_film(tmp_path / "flat.mp4", frames=3)
    (tmp_path / "flat.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    token = "a-token-that-is-right"
    with running(web.build(Library(tmp_path), token=token)) as url:
        assert ask(url, "/deovr")[0] == 401
        scenes = said(url, f"/deovr?token={token}")["scenes"]
        dive = said(url, scenes[0]["list"][0]["video_url"].removeprefix(url))
        assert (dive["screenType"], dive["stereoMode"]) == ("dome", "sbs")
        source = dive["encodings"][0]["videoSources"][0]["url"]
        assert ask(url, source.removeprefix(url))[2] == (tmp_path / "dive.mp4").read_bytes()  # no cookie is needed
        listed = said(url, f"/heresphere?token={token}", method="POST")["library"][0]["list"]
        flat = said(url, listed[1].removeprefix(url), method="POST")
        assert (flat["projection"], flat["stereo"]) == ("perspective", "mono")
        assert b"Hello" in ask(url, flat["subtitles"][0]["url"].removeprefix(url))[2]


def picture(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def bright_width(image: np.ndarray) -> float:
    """Share of the width that isn't black."""
    return float((image.max((0, 2)) > 24).mean())


def test_posters_are_upright_and_in_shape(tmp_path: Path) -> None:
    upright = make_film(tmp_path / "phone.mp4", frames=6, size=(108, 192), rotation=90)
    facts = filmfacts.of_film(upright)
    assert (facts["width"], facts["height"], facts["rotation"] % 180) == (108, 192, 90)
    poster = picture(posters.of_film(upright, {"layout": "mono"}))
    assert poster.shape == (270, 480, 3)
    assert bright_width(poster) == pytest.approx((108 / 192) / (16 / 9), abs=0.06)  # a portrait between black bars
    half = make_film(tmp_path / "half.mp4", frames=6, size=(108, 192))
    views = {"layout": "left-right", "full": False}
    assert bright_width(picture(posters.of_film(half, views))) > 0.98  # unsqueezed to 16:9
    assert bright_width(picture(posters.of_film(half, {**views, "full": True}))) == pytest.approx(0.5, abs=0.03)


def test_thumbnails_show_their_time(tmp_path: Path) -> None:
    import av

    path = tmp_path / "grey.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for n in range(200):  # 20 s, brighter every 2 s
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 20 + 20 * (n // 20), np.uint8))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with running(web.build(Library(tmp_path))) as url:
        (film,) = said(url, "/api/films")["films"]
        plan = film["sprite"]
        sheet = picture(ask(url, f"/{plan['url']}")[2])
        assert sheet.shape[:2] == (plan["rows"] * plan["height"], plan["columns"] * plan["width"])
        for n in range(plan["count"]):
            row, column = divmod(n, plan["columns"])
            tile = sheet[row * 90 : row * 90 + 90, column * 160 : column * 160 + 160]
            assert tile.mean() == pytest.approx(20 + 20 * int(n * plan["interval_s"] / 2), abs=8)


def test_pictures_are_made_once_and_kept(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"\xff\xd8 picture \xff\xd9"

    first = Thumbnails(tmp_path / "pictures")
    assert first.get("a", make) == first.get("a", make)
    assert Thumbnails(tmp_path / "pictures").get("a", make) == first.get("a", make)
    assert len(made) == 1
    (kept,) = (tmp_path / "pictures").iterdir()
    kept.write_bytes(b"cut off")
    Thumbnails(tmp_path / "pictures").get("a", make)
    assert len(made) == 2


def test_stereo_pictures_and_pairs_are_listed(tmp_path: Path) -> None:
    for name, shade in (("a_L.png", 50), ("a_R.png", 200), ("cover.jpg", 9), ("wide_LRF_Full_SBS.jpg", 90)):
        cv2.imwrite(str(tmp_path / name), np.full((60, 80, 3), shade, np.uint8))
    with running(web.build(Library(tmp_path))) as url:
        films = said(url, "/api/films?kind=picture")["films"]
        assert [film["file"] for film in films] == ["a_L.png", "wide_LRF_Full_SBS.jpg"]
        pair = films[0]
        assert (pair["width"], pair["views"]["layout"], pair["views"]["full"]) == (160, "left-right", True)
        both = picture(ask(url, f"/{pair['url']}")[2])
        assert both.shape[:2] == (60, 160)
        assert both[:, :80].mean() == pytest.approx(50, abs=2)
        assert both[:, 80:].mean() == pytest.approx(200, abs=2)
        assert ask(url, f"/{films[1]['url']}")[2] == (tmp_path / "wide_LRF_Full_SBS.jpg").read_bytes()
        assert ask(url, f"/{pair['poster']}")[2][:2] == b"\xff\xd8"
