"""The studio over HTTP: who is let in, what is refused, and what a look says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from stereocast.jobs.preview import moments
from stereocast.serve import app as web
from stereocast.serve.library import Library
from stereocast.serve.live import Live
from stereocast.serve.shelf import ident_of
from stereocast.studio import routes
from stereocast.studio.studio import Studio
from tests.films import make_film
from tests.serve.running import ask, post, running, said

TOKEN = "a-token-that-is-right"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "film.mp4", frames=30, size=(96, 160), cuts=(15,))
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    library, live = Library(root), Live(None)
    app = web.build(library, live)
    routes.mount(app, Studio(root, library, live))
    with running(app) as address:
        yield address


def look(url: str, ident: str, **wish: Any) -> tuple[int, dict[str, Any], Any]:
    sent = {"at": 0.2, "kind": "anaglyph", "width": 160, "options": {}, **wish}
    status, headers, body = ask(
        url, f"/api/studio/films/{ident}/look", method="POST", headers=JSON, body=json.dumps(sent).encode()
    )
    if status != 200:
        return status, json.loads(body), None
    return status, json.loads(headers["x-look"]), cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)


def test_the_border_and_the_gate_of_serve_hold_here_too(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "films"
    other.mkdir()
    app = web.build(Library(other), token=TOKEN, pin="123456")
    routes.mount(app, Studio(other))
    with running(app) as url:
        cookie = {"Cookie": f"stereocast_token={TOKEN}"}
        away = {"X-Forwarded-For": "203.0.113.9"}
        for path in (
            "/studio",
            "/studio/static/main.js",
            "/api/studio/state",
            "/api/studio/films",
            "/api/studio/models",
        ):
            assert ask(url, path, headers=away)[0] == 401, path
            assert ask(url, path, headers=cookie)[0] == 200, path
            assert ask(url, path, headers={**cookie, "Host": "evil.example"})[0] == 421, path
        assert ask(url, "/studio")[0] == 200  # a person at this machine
        assert json.loads(ask(url, "/api/films", headers=cookie)[2])["studio"] is True
        for method, path in (
            ("POST", "uploads"), ("PUT", "uploads/x?offset=0"), ("DELETE", "uploads/x"), ("POST", "jobs"), ("POST", "jobs/x"),
            ("POST", "models/download"), ("POST", "send"), ("POST", "sample"),
        ):  # fmt: skip
            foreign = {**cookie, **JSON, "Origin": "https://evil.example"}
            assert ask(url, f"/api/studio/{path}", method=method, headers=foreign)[0] == 403, path
            assert ask(url, f"/api/studio/{path}", method=method, headers={**JSON, **away})[0] == 401, path
    with running(web.build(Library(other))) as url:
        assert said(url, "/api/films")["studio"] is False


def test_upload_names_lead_nowhere(url: str, root: Path) -> None:
    before = sorted(root.parent.rglob("*"))
    for name in ("../evil.mp4", "/tmp/evil.mp4", "..\\evil.mp4", ".evil.mp4", "a/../../evil.mp4", "evil.sh", "\0.mp4"):
        status, said = post(url, "/api/studio/uploads", {"name": name, "size": 10, "changed": 1})
        assert status == 400, name
        assert "evil" not in [path.name for path in root.parent.iterdir()]
        assert said["error"]
    good = {"name": "a.mp4", "size": 10, "changed": 1}
    for bad in ({}, {**good, "name": 1}, {**good, "size": "x"}, {**good, "size": True}, []):
        assert post(url, "/api/studio/uploads", bad)[0] == 400
    assert ask(url, "/api/studio/uploads/..%2F..%2Fx?offset=0", method="PUT")[0] in (404, 405, 422)
    assert sorted(root.parent.rglob("*")) == before


def test_a_file_comes_in_pieces_and_is_listed(url: str, root: Path, tmp_path: Path) -> None:
    data = make_film(tmp_path / "x.mp4", frames=5).read_bytes()
    _, begun = post(url, "/api/studio/uploads", {"name": "piece by piece.mp4", "size": len(data), "changed": 5})
    first = f"/api/studio/uploads/{begun['id']}"
    assert json.loads(ask(url, f"{first}?offset=0", method="PUT", body=data[:900])[2])["offset"] == 900
    status, _, body = ask(url, f"{first}?offset=0", method="PUT", body=data[:900])
    assert (status, json.loads(body)["offset"]) == (409, 900)
    assert said(url, "/api/studio/state")["uploads"][0]["offset"] == 900
    film = json.loads(ask(url, f"{first}?offset=900", method="PUT", body=data[900:])[2])["film"]
    assert film in [row["id"] for row in said(url, "/api/studio/films")["films"]]
    assert (root / "piece by piece.mp4").read_bytes() == data


def test_looks_of_every_kind_and_what_they_say(url: str, root: Path) -> None:
    ident = ident_of(str(root / "film.mp4"))
    shapes = {}
    for kind in ("source", "depth", "anaglyph", "views", "packed", "filled"):
        status, facts, picture = look(url, ident, kind=kind)
        assert status == 200, facts
        shapes[kind] = picture.shape[:2]
        assert facts["verdict"] in ("comfortable", "strong", "uncomfortable")
        assert facts["line"].startswith(facts["verdict"])
        assert facts["auto_strength"] > 0
    assert shapes["views"] == (96, 320)
    assert shapes["packed"] == (48, 160)
    assert shapes["source"] == shapes["depth"] == shapes["anaglyph"] == shapes["filled"] == (96, 160)
    assert facts["estimator"] == "embedded"


def test_a_changed_slider_redoes_only_what_it_changes(url: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ident = ident_of(str(root / "film.mp4"))
    look(url, ident, at=0.4)
    work: list[str] = []
    for name in ("decode", "depth_of", "views_of"):
        original = getattr(moments, name)
        monkeypatch.setattr(moments, name, lambda *a, n=name, o=original, **k: (work.append(n), o(*a, **k))[1])
    _, _, weak = look(url, ident, at=0.4, kind="views", options={"strength": 0.5})
    assert work == ["views_of"]
    _, _, strong = look(url, ident, at=0.4, kind="views", options={"strength": 8})
    assert work == ["views_of"] * 2
    halves = [np.abs(one[:, :160].astype(int) - one[:, 160:]).mean() for one in (weak, strong)]
    assert halves[1] > 1.5 * halves[0]
    look(url, ident, at=0.4, kind="source", options={"strength": 8})
    look(url, ident, at=0.4, kind="filled", options={"strength": 8})
    assert work == ["views_of"] * 2
    look(url, ident, at=0.4, options={"strength": 8, "depth_downsample": 2})
    assert work == ["views_of"] * 2 + ["depth_of", "views_of"]
    look(url, ident, at=0.6, options={"strength": 8})
    assert work[4:] == ["decode", "depth_of", "views_of"]
    draft = look(url, ident, at=0.6, options={"strength": 8, "fill": "best"}, draft=True)[1]
    assert "views" not in draft["ms"]  # the quick fill of the same strength is there already


def test_errors_are_one_line(url: str, root: Path) -> None:
    ident = ident_of(str(root / "film.mp4"))
    assert look(url, ident, options={"strength": 99})[:2] == (
        400,
        {"error": "--strength 99: input should be less than or equal to 20"},
    )
    assert look(url, ident, options={"depth": "/etc/passwd"})[0] == 400
    assert look(url, ident, kind="x")[0] == 400
    assert look(url, ident, at=-1)[0] == 400
    assert look(url, "0" * 16)[0] == 404
    broken = ident_of(str(root / "broken.mp4"))
    assert ask(url, f"/api/studio/films/{broken}")[0] == 422
    assert look(url, broken)[0] == 422
    status, _, body = ask(url, "/api/studio/jobs", method="POST", headers=JSON, body=b"{")
    assert (status, json.loads(body)) == (400, {"error": "the request isn't JSON"})
    assert ask(url, "/api/studio/jobs", method="POST", body=b"x" * 70_000)[0] == 400
    assert post(url, "/api/studio/jobs/none", {"do": "stop"})[0] == 404
    assert post(url, "/api/studio/jobs/none", {"do": "close"})[0] == 400
    status, said = post(url, "/api/studio/models/download", {"name": "depthcrafter"})
    assert status == 403
    assert "3.0 GB" in said["error"]
    assert "read and accept its licence" in said["error"]


def test_the_strip_has_a_thumbnail_for_each_shot(url: str, root: Path) -> None:
    import time

    ident = ident_of(str(root / "film.mp4"))
    deadline = time.monotonic() + 300
    while not (strip := said(url, f"/api/studio/films/{ident}/strip"))["done"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [shot["start_s"] for shot in strip["shots"]] == [0, 0.625]
    assert 0.625 < strip["shots"][1]["time_s"] < 1.25
    status, headers, body = ask(url, f"/api/studio/films/{ident}/strip/1")
    assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert ask(url, f"/api/studio/films/{ident}/strip/2")[0] == 404
    assert ask(url, f"/api/studio/films/{ident}/poster")[2][:2] == b"\xff\xd8"


def test_a_film_can_be_watched_while_it_converts_and_is_a_job_like_any_other(url: str, root: Path) -> None:
    ident = ident_of(str(root / "film.mp4"))
    assert said(url, f"/api/films/{ident}")["live"] is False
    refused = post(url, "/api/studio/live", {"film": ident, "options": {"format": "pair"}})
    assert refused == (400, {"error": "--format pair can't be shown by the player; use sbs, ou or vr180"})
    assert post(url, "/api/studio/live", {"film": ident, "options": {"format": "half-sbs"}}) == (200, {"film": ident})
    card = said(url, f"/api/films/{ident}")
    assert (card["live"], card["views"]["layout"], card["views"]["full"]) == (True, "left-right", False)
    assert post(url, f"/live/{ident}?t=0&viewer=someone-who-watches")[0] == 200
    (row,) = said(url, "/api/studio/state")["live"]
    assert (row["film"], row["name"], row["viewers"]) == (ident, "film.mp4", 1)
    assert row["duration_s"] == pytest.approx(1.25)
    assert post(url, "/api/studio/live/stop", {"number": row["number"]})[0] == 200
    assert said(url, "/api/studio/state")["live"] == []


def test_the_page_and_its_files(url: str) -> None:
    status, headers, body = ask(url, "/studio")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert b"http" not in body.replace(b"https://huggingface", b"")  # nothing from elsewhere
    for name in ("main.js", "studio.css", "look.js"):
        assert ask(url, f"/studio/static/{name}")[0] == 200
    for name in ("..%2Froutes.py", "%2e%2e/routes.py", "routes.py", "none.js"):
        assert ask(url, f"/studio/static/{name}")[0] == 404
    weight = sum(path.stat().st_size for path in routes.PAGE.iterdir())
    assert weight < 60_000
