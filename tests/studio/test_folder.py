"""Names and uploads: nothing leaves the folder, nothing is lost, files that are not films are not kept."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")

from stereocast.errors import SinkError, SourceError, UsageError
from stereocast.serve.shelf import ident_of
from stereocast.studio.folder import Folder, safe_name
from stereocast.studio.uploads import Elsewhere, Uploads
from tests.films import make_film


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    (tmp_path / "films").mkdir()
    made = Folder(tmp_path / "films")
    yield made
    made.close()


@pytest.mark.parametrize(
    "name",
    [
        "../a.mp4", "..\\a.mp4", "/etc/a.mp4", "a/b.mp4", "C:a.mp4", ".a.mp4", "..", "", " ", "a\0.mp4", "a\n.mp4", "con.mp4",
        "a.mp4.", "a.txt", "a", "a.m3u8", "a.part.mp4", "x" * 250 + ".mp4", "a?.mp4",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_is_no_film_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        safe_name(name)


@pytest.mark.parametrize("name", ["Film (2019) é.mp4", "写真.jpg", "a b'c.MKV", "x.heic"])
def test_a_usual_name_is_kept(name: str) -> None:
    assert safe_name(name) == name


def test_links_out_of_the_folder_hidden_files_and_our_results_are_left_out(folder: Folder, tmp_path: Path) -> None:
    make_film(tmp_path / "secret.mp4", frames=3)
    (folder.root / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    film = make_film(folder.root / "a.mp4", frames=3)
    shutil.copy(film, folder.root / "a_LRF_Full_SBS.mp4")
    shutil.copy(film, folder.root / ".hidden.mp4")
    (folder.root / "samples").mkdir()
    shutil.copy(film, folder.root / "samples/b.mp4")
    assert [item.title for item in folder.materials()] == ["a.mp4"]
    assert folder.get(ident_of(str(film))).path == film
    for other in (ident_of(str(tmp_path / "secret.mp4")), ident_of(str(folder.root / "link.mp4")), "../secret.mp4"):
        with pytest.raises(SourceError):
            folder.get(other)
    with pytest.raises(UsageError):
        folder.inside("../secret.mp4")


def test_a_film_that_goes_while_the_folder_is_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, goes = folder.root / "a.mp4", folder.root / "b.mp4"
    shutil.copy(make_film(stays, frames=2), goes)
    monkeypatch.setattr("stereocast.studio.folder.left_out", lambda path: goes.unlink(missing_ok=True))
    assert [item.title for item in folder.materials(afresh=True)] == ["a.mp4"]


def test_two_studios_of_one_folder_are_refused(folder: Folder) -> None:
    with pytest.raises(SinkError, match="open in another studio"):
        Folder(folder.root)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


def take(uploads: Uploads, ident: str, offset: int, *data: bytes) -> dict[str, Any]:
    return asyncio.run(uploads.take(ident, offset, pieces(*data)))


def test_an_upload_goes_on_after_everything_was_lost(folder: Folder, tmp_path: Path) -> None:
    data = make_film(tmp_path / "x.mp4", frames=5).read_bytes()
    half = len(data) // 2
    ident = Uploads(folder).begin("film.mp4", len(data), 7)["id"]
    first = Uploads(folder)
    assert take(first, ident, 0, data[:100], data[100:half])["offset"] == half
    assert folder.materials(afresh=True) == []
    later = Uploads(folder)  # the server was killed
    assert later.listing() == [{"id": ident, "name": "film.mp4", "size": len(data), "offset": half}]
    assert later.begin("film.mp4", len(data), 7) == later.state(ident)
    with pytest.raises(Elsewhere) as caught:
        take(later, ident, 0, data)
    assert caught.value.offset == half
    done = take(later, ident, half, data[half:])
    assert (folder.root / "film.mp4").read_bytes() == data
    assert folder.get(done["film"]).title == "film.mp4"
    assert later.listing() == []
    assert sorted(path.name for path in folder.root.iterdir()) == [".stereocast", "film.mp4"]


def test_a_name_that_is_taken_gets_a_number(folder: Folder, tmp_path: Path) -> None:
    data = make_film(tmp_path / "x.mp4", frames=5).read_bytes()
    (folder.root / "film.mp4").write_bytes(b"mine")
    uploads = Uploads(folder)
    take(uploads, uploads.begin("film.mp4", len(data), 1)["id"], 0, data)
    assert (folder.root / "film.mp4").read_bytes() == b"mine"
    assert (folder.root / "film (2).mp4").read_bytes() == data


def test_what_is_no_film_is_not_kept(folder: Folder) -> None:
    uploads = Uploads(folder)
    with pytest.raises(SourceError, match="is not a readable film or picture"):
        take(uploads, uploads.begin("film.mp4", 5, 1)["id"], 0, b"hello")
    assert [path.name for path in folder.root.iterdir()] == [".stereocast"]
    with pytest.raises(UsageError):
        uploads.begin("film.mp4", 0, 1)
    with pytest.raises(UsageError, match="larger than"):
        take(uploads, uploads.begin("film.mp4", 5, 1)["id"], 0, b"hello, and more")


def test_a_disk_that_is_too_small_is_said_before(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000_000))
    with pytest.raises(SinkError, match=r"'film.mp4' needs 9.0 GB but .* has 5.0 GB free"):
        Uploads(folder).begin("film.mp4", 9_000_000_000, 1)


def test_a_disk_that_becomes_full_is_one_line(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *_: Any) -> None: ...
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: Any) -> None: ...
        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    uploads = Uploads(folder)
    ident = uploads.begin("film.mp4", 10, 1)["id"]
    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with pytest.raises(SinkError, match="the disk is full; free some space there, then choose the file again"):
        take(uploads, ident, 0, b"hello")


def test_two_pages_do_not_write_one_file(folder: Folder) -> None:
    uploads = Uploads(folder)
    ident = uploads.begin("film.mp4", 10, 1)["id"]

    async def both() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"he"
            begun.set()
            await go.wait()
            yield b"llo"

        first = asyncio.create_task(uploads.take(ident, 0, slow()))
        await begun.wait()
        with pytest.raises(UsageError, match="by another page"):
            await uploads.take(ident, 0, pieces(b"HELLO"))
        go.set()
        assert (await first)["offset"] == 5

    asyncio.run(both())
