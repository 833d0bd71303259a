"""Live sessions in the browser: converted films, and films whose sound the browser can't play."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from stereocast import registry
from stereocast.catalog import settle
from stereocast.serve import app as web
from stereocast.serve.library import Library
from stereocast.serve.live import Live
from stereocast.settings import ConvertSettings
from tests.fakes import RampDepth
from tests.films import make_film
from tests.serve.browser import RATE, Page
from tests.serve.running import running

pytestmark = pytest.mark.browser


class SlowDepth:
    """A ramp that takes its time, so that a test sees the conversion run."""

    held = 0

    def __init__(self, *_: object) -> None: ...

    def __call__(self, clips: Any) -> Any:
        for pair in RampDepth()(clips):
            time.sleep(0.06)
            yield pair


@contextmanager
def opened(chromium: Any, library: Library, live: Live, pictures: Path) -> Iterator[Page]:
    with running(web.build(library, live)) as url:
        context = chromium.new_context(viewport={"width": 900, "height": 560}, bypass_csp=True)
        page = Page(context.new_page(), url, pictures)
        page.page.goto(url)
        page.page.wait_for_selector("#films .card")
        yield page
        assert not page.errors
        context.close()


def settings() -> ConvertSettings:
    return settle(ConvertSettings, {"encoder": "x264", "depth": "embedded"})


def test_a_live_film_plays_before_it_is_converted_and_a_seek_begins_there(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.serve.test_stream:SlowDepth")})
    source = make_film(
        tmp_path / "in.mp4", frames=RATE * 40, size=(90, 160), audio=["aac"], options={"preset": "ultrafast", "g": "24"}
    )
    with opened(chromium, Library(None, (source,)), Live(settings()), tmp_path) as page:
        assert page.page.inner_text(".card .badge") == "Live 3D"
        page.page.click(".card")
        page.until("stereocast.video.currentTime > 0.5")
        assert not page.js("stereocast.player.live.state.ended")
        page.until("document.querySelector('#note').textContent.includes('buffered')")
        page.js("for (const at of [12, 20, 30]) stereocast.player.seekTo(at)")  # quick ones: the last counts
        page.until("stereocast.player.live.state.start_s > 28 && stereocast.video.currentTime > 30.2")
        page.page.click("#note button:has-text('Keep this film')")
        page.until("stereocast.player.live.state.keep.wanted === true")
        ident = page.js("stereocast.player.film.id")
        page.page.keyboard.press("Escape")
        page.page.wait_for_selector("#library:not([hidden])")
        assert page.js("stereocast.player.live") is None
        assert ident


def test_waiting_until_a_live_film_plays_through(page: Page) -> None:
    page.open()
    page.js(
        """async () => {
            const { Live } = await import('/player/live.js'), { player } = stereocast;
            const live = player.live = new Live(player, null);
            live.state = { ended: false, wait_s: 42, mode: 'stereo', speed: 0.5, keep: null };
            live.tell(live.state);
        }"""
    )
    assert "plays without stopping in 0:42" in page.page.inner_text("#note")
    page.page.click("#note button:has-text('Wait')")
    page.until("stereocast.video.paused")
    page.js("(() => { const { live } = stereocast.player; live.state.wait_s = 0; live.tell(live.state); })()")
    page.until("!stereocast.video.paused")


def test_sound_that_the_browser_cannot_play_is_said_and_heard(chromium: Any, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    make_film(
        folder / "quiet.mkv", frames=RATE * 6, size=(90, 160), audio=["ac3"], options={"preset": "ultrafast", "g": "24"}
    )
    with opened(chromium, Library(folder), Live(settings()), tmp_path) as page:
        page.until("document.querySelector('.card .note')?.textContent.includes('AC-3')")
        page.page.click(".card")
        page.until("stereocast.video.currentTime > 0.5")
        assert page.js("stereocast.player.live.state.mode") == "sound"
        assert page.js("stereocast.video.webkitAudioDecodedByteCount > 0")
