"""Live sessions: shared, moved, ended; quick seeks; current speed; keeping the film."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from stereocast import registry
from stereocast.catalog import settle
from stereocast.media import stereoinfo
from stereocast.pipeline.progress import Progress
from stereocast.serve import app as web
from stereocast.serve import live as lives
from stereocast.serve import session as sessions
from stereocast.serve.library import Library
from stereocast.serve.live import Busy, Live
from stereocast.serve.session import Wanted
from stereocast.settings import ConvertSettings
from tests.films import make_film
from tests.serve.running import ask, post, running, said


def until(ready: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.fakes:RampDepth")})


def settings() -> ConvertSettings:
    return settle(ConvertSettings, {"encoder": "x264", "depth": "embedded"})


class Stand:
    """Stands for a conversion: lists a segment of two seconds after each `pause`, as long as nobody stops it. It goes on
    without a further one after `slow_after` of them."""

    def __init__(self) -> None:
        self.begun: list[str | None] = []
        self.running = 0
        self.most = 0
        self.pause = 0.02
        self.total = self.slow_after = 50

    def convert(self, source: Path, folder: Path, wanted: Any, progress: Callable[[Progress], None]) -> None:
        self.begun.append(wanted.start)
        self.running += 1
        self.most = max(self.most, self.running)
        lines = ["#EXTM3U"]
        try:
            for n in range(self.total):
                while n >= self.slow_after:
                    time.sleep(self.pause)
                    progress(Progress("frames", 48 * n, None))
                time.sleep(self.pause)
                progress(Progress("frames", 48 * (n + 1), None))
                (folder / f"segment_{n}.m4s").write_bytes(b"x")
                lines += ["#EXTINF:2.0,", f"segment_{n}.m4s"]
                (folder / "index.m3u8").write_text("\n".join(lines))
            (folder / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))
        finally:
            self.running -= 1


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand()
    monkeypatch.setattr(sessions.api, "convert", made.convert)
    monkeypatch.setattr(sessions, "COALESCE_S", 0.15)
    return made


@pytest.fixture
def live(stand: Stand) -> Iterator[Live]:
    made = Live(settings())
    yield made
    made.close()


def film(start_s: float = 0.0, ident: str = "a") -> Wanted:
    return Wanted(ident, Path("a.mp4"), start_s, duration_s=100.0, rate=24.0)


def test_two_viewers_share_one_session(live: Live, stand: Stand) -> None:
    stand.slow_after = 6
    first = live.open(film(), "one")
    until(lambda: len(first.segments()[0]) >= 4)
    second = live.open(film(3.0), "two")
    assert second is first
    assert first.state()["viewers"] == 2
    # one of them goes far ahead: the other's session stays
    third = live.open(film(80.0), "two")
    assert third is not first
    assert not first.closed
    assert first.state()["viewers"] == 1
    assert (live.get("a", viewer="one"), live.get("a", viewer="two")) == (first, third)
    with pytest.raises(Busy):
        live.open(film(0.0, "b"), "three")


def test_a_lone_viewer_takes_the_session_along(live: Live, stand: Stand) -> None:
    stand.pause, stand.slow_after = 0.05, 6
    first = live.open(film(), "one")
    until(lambda: stand.running)
    second = live.open(film(60.0), "one")
    assert first.closed
    until(lambda: len(stand.begun) == 2)
    assert stand.most == 1  # the new one waits for the end of the old one
    until(lambda: not first.folder.exists())
    assert second.state()["start_s"] == 60


def test_quick_seeks_start_work_once(live: Live, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "COALESCE_S", 2.0)
    for at in range(10, 100, 15):
        session = live.open(film(float(at)), "one")
    until(lambda: stand.begun)
    time.sleep(0.3)
    assert stand.begun == ["85.000"]
    assert session.state()["start_s"] == 85
    assert len(live._sessions) == 1


def test_the_last_to_leave_ends_it(live: Live, stand: Stand) -> None:
    stand.pause = 0.1
    session = live.open(film(), "one")
    live.open(film(), "two")
    until(lambda: stand.running)
    live.leave("a", "one")
    assert not session.closed
    live.leave("a", "two")
    assert session.closed
    until(lambda: not stand.running and not session.folder.exists())
    assert live.get("a") is None


def test_a_viewer_who_says_nothing_has_left(live: Live, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "GONE_S", 0.3)
    stand.pause = 0.1
    session = live.open(film(), "one")
    until(lambda: stand.running)
    until(lambda: session.closed)
    until(lambda: not stand.running)


def test_the_speed_is_that_of_now(live: Live, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(sessions.time, "monotonic", lambda: clock[0])
    session = sessions.Session(1, film(), settings(), [])
    session._cancel.set()
    session.join(60)
    monkeypatch.setattr(session, "is_working", lambda: True)
    assert session.speed() is None
    clock[0] += 30  # models are loaded, nothing is made yet
    for n in range(40):
        session._note(0.95 * n)
        clock[0] += 1
    assert session.speed() == pytest.approx(0.95, abs=0.1)
    for n in range(20):  # something else takes the machine
        session._note(0.95 * 40 + 0.2 * n)
        clock[0] += 1
    assert session.speed() == pytest.approx(0.2, abs=0.05)
    clock[0] += 20
    assert session.speed() < 0.1  # nothing comes any more


@pytest.mark.parametrize(
    ("speed", "made_s", "at_s", "wait_s"),
    [
        (2.0, 10, 0, 0),
        (2.0, 0.5, 0, 1.75),
        (0.5, 20, 0, 1.05 * 160 - 100),
        (0.5, 96, 0, 0),
        (0.5, 60, 50, 1.05 * 80 - 50),
    ],
)
def test_how_long_to_wait(
    live: Live, monkeypatch: pytest.MonkeyPatch, speed: float, made_s: float, at_s: float, wait_s: float
) -> None:
    session = sessions.Session(1, film(), settings(), [])
    session.close()
    monkeypatch.setattr(session, "speed", lambda: speed)
    monkeypatch.setattr(session, "segments", lambda: ([("a", made_s)], False))
    assert session.wait_s(at_s) == pytest.approx(wait_s)
    if wait_s > 2:  # who waits so long sees no gap: at each moment more is made than was watched
        for t in range(400):
            there = min(100.0, made_s + speed * t)
            assert min(100.0, at_s + max(0.0, t - wait_s)) <= there + 1e-6


def wait_for(url: str, ident: str, ready: Callable[[dict], bool]) -> dict:
    def found() -> dict | None:
        state = json.loads(ask(url, f"/live/{ident}")[2])
        assert not state["error"]
        return state if ready(state) else None

    return until(found)


def test_segments_appear_and_a_seek_finds_them(tmp_path: Path, small_stages: None) -> None:
    source = make_film(tmp_path / "in.mp4", frames=24 * 8, audio=["aac"], options={"preset": "ultrafast", "g": "24"})
    live = Live(settings())
    with running(web.build(Library(None, (source,)), live)) as url:
        (card,) = said(url, "/api/library")
        assert card["live"]
        assert card["views"]["layout"] == "left-right"
        path = f"/live/{card['id']}"
        assert ask(url, path)[0] == 404
        assert ask(url, f"{path}?run=7")[0] == 410
        for bad in ("-1", "99", "nan", "inf", "x"):
            assert ask(url, f"{path}?t={bad}", method="POST")[0] == 400
        assert ask(url, f"{path}?t=0&viewer=%2F", method="POST")[0] == 400
        assert ask(url, f"{path}?t=5", method="POST")[0] == 200
        state = wait_for(url, card["id"], lambda s: s["codecs"])
        assert state["codecs"].startswith("avc1.")
        assert state["codecs"].endswith("mp4a.40.2")
        done = wait_for(url, card["id"], lambda s: s["ended"])
        assert (done["start_s"], done["mode"], done["viewers"], done["wait_s"]) == (5, "stereo", 1, 0)
        assert done["done_s"] == pytest.approx(3, abs=0.3)
        base = f"{path}/{done['run']}"
        assert b"st3d" in ask(url, f"{base}/init.mp4")[2]
        assert ask(url, f"{base}/{done['segments'][0]['name']}")[2][4:8] in (b"styp", b"moof", b"sidx")
        for bad in ("index.m3u8", "..%2f..%2fetc%2fpasswd", "nothing.m4s"):
            assert ask(url, f"{base}/{bad}")[0] == 404
        assert post(url, f"{path}?t=6")[1]["run"] == done["run"]  # it is there already
        assert len(said(url, f"{path}?since=1")["segments"]) == len(done["segments"]) - 1
        first = live.get(card["id"]).folder
        ask(url, f"{path}?t=0", method="POST")
        again = wait_for(url, card["id"], lambda s: s["ended"])
        assert (again["start_s"], again["run"]) == (0, done["run"] + 1)
        assert not first.exists()
        assert ask(url, f"{base}/init.mp4")[0] == 404
        last = live.get(card["id"]).folder
        assert ask(url, f"{path}/leave?viewer=", method="POST")[0] == 204
        until(lambda: not last.exists())
        ask(url, f"{path}?t=0", method="POST")
        last = live.get(card["id"]).folder
    assert not last.exists()


def test_what_was_watched_can_stay(tmp_path: Path, small_stages: None) -> None:
    source = make_film(tmp_path / "in.mp4", frames=24 * 6, audio=["aac"], options={"preset": "ultrafast", "g": "24"})
    with running(web.build(Library(None, (source,)), Live(settings()))) as url:
        (card,) = said(url, "/api/library")
        path = f"/live/{card['id']}"
        ask(url, f"{path}?t=3&viewer=v", method="POST")
        status, answer = post(url, f"{path}/keep", {"keep": True})
        assert (status, answer["keep"]["wanted"]) == (200, True)
        assert post(url, f"{path}/keep", [])[0] == 400
        ask(url, f"{path}/leave?viewer=v", method="POST")  # without viewers it continues
        until((tmp_path / "in_LRF_Full_SBS.mp4").exists)
    (made,) = tmp_path.glob("in_*.mp4")
    assert made.name == "in_LRF_Full_SBS.mp4"
    with av.open(str(made)) as container:
        frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert len(frames) == 24 * 6
    assert [round(float(at) * 24) for at in frames] == list(range(24 * 6))
    with av.open(str(made)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0)) / container.streams.audio[0].rate
    assert heard == pytest.approx(6, abs=0.2)
    assert stereoinfo.views(made, 384, 96).source == "tags"


@pytest.mark.parametrize("codec", ["ac3", "eac3", "mp2"])
def test_sound_that_browsers_do_not_play(tmp_path: Path, codec: str) -> None:
    source = make_film(
        tmp_path / f"{codec}.mkv", frames=24 * 6, audio=[codec, "aac"], options={"preset": "ultrafast", "g": "24"}
    )
    with running(web.build(Library(tmp_path))) as url:
        (card,) = said(url, "/api/library")
        first, second = card["sound_tracks"]
        assert (first["playable"], first["way"], second["playable"], second["way"]) == (
            False,
            "session",
            True,
            "session",
        )
        assert card["note"].startswith("sound: ")
        path = f"/live/{card['id']}"
        assert ask(url, f"{path}?t=0", method="POST")[0] == 404  # it isn't converted
        assert ask(url, f"{path}?t=0&sound=2", method="POST")[0] == 404
        assert ask(url, f"{path}?t=3.4&sound=0&viewer=v", method="POST")[0] == 200
        state = wait_for(url, card["id"], lambda s: s["ended"])
        assert (state["start_s"], state["mode"]) == (3, "sound")  # from the key frame before
        assert state["codecs"].endswith("mp4a.40.2")
        parts = [
            ask(url, f"{path}/{state['run']}/{name}")[2]
            for name in ["init.mp4", *(s["name"] for s in state["segments"])]
        ]
    (tmp_path / "out.mp4").write_bytes(b"".join(parts))
    pictures = []
    for name in (source, tmp_path / "out.mp4"):
        with av.open(str(name)) as container:
            pictures.append([bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size])
    assert pictures[1] == pictures[0][72:]  # copied, byte for byte
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        heard = sum(frame.samples for frame in container.decode(audio=0)) / container.streams.audio[0].rate
    assert heard == pytest.approx(3, abs=0.2)


def test_a_converted_film_is_heard(tmp_path: Path, small_stages: None) -> None:
    source = make_film(tmp_path / "in.mkv", frames=24 * 3, audio=["ac3"], options={"preset": "ultrafast", "g": "24"})
    with running(web.build(Library(None, (source,)), Live(settings()))) as url:
        (card,) = said(url, "/api/library")
        assert (card["note"], card["sound_tracks"][0]["way"]) == ("", "direct")
        ask(url, f"/live/{card['id']}?t=0", method="POST")
        assert wait_for(url, card["id"], lambda s: s["ended"])["codecs"].endswith("mp4a.40.2")


def test_copied_picture_waits_for_its_viewers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "AHEAD_S", 3.0)
    monkeypatch.setattr(sessions, "BEHIND_S", 1.0)
    source = make_film(tmp_path / "in.mkv", frames=24 * 20, audio=["ac3"], options={"preset": "ultrafast", "g": "24"})
    live = Live(None)
    try:
        session = live.open(Wanted("a", source, 0.0, None, 0, duration_s=20.0, rate=24.0), "v")
        until(lambda: len(session.segments()[0]) >= 1)
        time.sleep(0.6)
        assert session.state()["done_s"] < 8
        session.seen("v", 12.0)
        until(lambda: session.state()["first"] > 0)  # earlier segments are removed
        state = session.state(12.0)
        assert state["first_s"] <= 12
        assert session.file("segment_00000.m4s") is None
        session.seen("v", 20.0)
        until(lambda: session.state()["ended"])
    finally:
        live.close()
    assert not session.folder.exists()


def test_many_viewers_of_one_film(live: Live, stand: Stand) -> None:
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append(live.open(film(), f"v{n}"))) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(session) for session in found} == {id(found[0])}
    assert found[0].state()["viewers"] == 50
    until(lambda: stand.begun)
    assert stand.begun == [None]
