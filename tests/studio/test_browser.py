"""The whole path in a real Chromium: drop, look, start, a killed server, resume, watch; and two pages at once."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")
pytest.importorskip("playwright.sync_api", reason="needs playwright (dev)")

from tests.films import make_film, read_film

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
IWER = ROOT / "tests/serve/node_modules/iwer/build/iwer.min.js"
SLOW = 400_000  # milliseconds that a busy machine may take


def _limit_files(largest: int) -> None:
    """In the new process: no file may become larger."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


class Server:
    """`stereocast studio` as a process, which may be killed and started again on the same port."""

    def __init__(self, folder: Path, home: Path, largest: int = 0) -> None:
        """`largest`: bytes after which the system refuses to write on, as a full disk does."""
        self.folder, self.home, self.largest = folder, home, largest
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        words = [
            sys.executable,
            "-m",
            "stereocast",
            "studio",
            str(self.folder),
            "--port",
            str(self.port),
            "--no-browser",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "STEREOCAST_HOME": str(self.home), "HF_HUB_OFFLINE": "1"}
        limit = partial(_limit_files, self.largest) if self.largest else None
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=limit)
        assert self.process.stdout is not None
        assert "the studio is at" in self.process.stdout.readline()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.process.wait(300)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/studio"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "films").mkdir()
    made = Server(tmp_path / "films", tmp_path / "home")
    yield made
    made.process.terminate()
    made.end()


def opened(chromium: Any, server: Server, *, headset: bool = False) -> Any:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
    page.set_default_timeout(SLOW)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    if headset:
        page.add_init_script(path=str(IWER))
        page.add_init_script(
            "window.device = new IWER.XRDevice(IWER.metaQuest3); device.stereoEnabled = true; device.installRuntime({ forceInstall: true });"
        )
    page.goto(server.url)
    page.wait_for_selector("#none:not([hidden]), #list li")
    return page


def watched(page: Any) -> None:
    """Puts the headset on and waits until it draws the film."""
    page.wait_for_function("window.stereocast && stereocast.video.readyState >= 2")
    if not IWER.is_file():
        return
    page.wait_for_selector("#enter:not([hidden])")
    page.evaluate("document.querySelector('#enter').click()")
    page.wait_for_function("stereocast.headset.drawn > 3")
    page.evaluate("stereocast.headset.session.end()")
    page.wait_for_function("!stereocast.headset.session")


def drop(page: Any, *paths: Path) -> None:
    """Drops files onto the page as a hand does."""
    import base64

    files = [{"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in paths]
    page.evaluate(
        """(files) => {
            const carried = new DataTransfer();
            for (const { name, data } of files) {
                carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { lastModified: 1 }));
            }
            document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        files,
    )


def drawn(page: Any) -> None:
    page.wait_for_function("!studio.look.busy && studio.look.image && studio.look.facts")


def kept(folder: Path) -> int:
    """Frames in the journal of an unfinished conversion."""
    try:
        table = json.loads((folder / "clip_LRF_Full_SBS.part.json").read_text())
    except (OSError, ValueError):
        return 0
    return sum(chunk["frames"] for chunk in table["chunks"])


def test_the_whole_way(chromium: Any, server: Server, tmp_path: Path) -> None:
    clip = make_film(tmp_path / "clip.mp4", frames=190, size=(120, 200), cuts=(97,))
    page = opened(chromium, server, headset=IWER.is_file())
    drop(page, clip)
    page.wait_for_selector("#film:not([hidden])")  # one film: it opens by itself
    drawn(page)
    assert (server.folder / "clip.mp4").read_bytes() == clip.read_bytes()
    assert page.inner_text("#comfort b").lower() in ("comfortable", "strong", "uncomfortable")
    page.wait_for_function("document.querySelectorAll('#strip img').length >= 3")

    before, line = page.evaluate("document.querySelector('#picture').toDataURL()"), page.inner_text("#comfort")
    page.evaluate(
        """() => {
            const slider = document.querySelector('#option-strength');
            slider.value = 5;
            slider.dispatchEvent(new Event('input'));
            slider.dispatchEvent(new Event('change'));
        }"""
    )
    page.wait_for_function("(line) => document.querySelector('#comfort').innerText !== line", arg=line)
    drawn(page)
    assert page.evaluate("document.querySelector('#picture').toDataURL()") != before
    page.click("#same summary")
    page.wait_for_function("document.querySelector('#command').textContent.includes('--strength 5')")
    page.keyboard.press("2")
    drawn(page)
    assert page.get_attribute("#kind-depth", "aria-selected") == "true"
    page.click("button.auto:has-text('Auto strength')")
    page.wait_for_function("studio.options.given.strength === 'auto'")

    page.click("#convert")
    page.wait_for_selector("#queue:not([hidden]) .running")
    deadline = time.monotonic() + SLOW / 1000
    while not kept(server.folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.kill()
    assert not (server.folder / "clip_LRF_Full_SBS.mp4").exists()
    finished = kept(server.folder)
    page.wait_for_selector("#problem:not([hidden])")
    assert "still running" in page.inner_text("#problem")

    server.start()
    page.wait_for_selector("#problem", state="hidden")
    page.wait_for_selector("#jobs .done")
    assert finished > 0
    assert len(read_film(server.folder / "clip_LRF_Full_SBS.mp4")["frames"]) == 190
    assert "1 of" not in page.inner_text("#jobs")
    assert not [path.name for path in server.folder.iterdir() if ".part" in path.name]

    href = page.get_attribute("#jobs a:has-text('Watch')", "href")
    assert re.fullmatch(r"/watch/[0-9a-f]{16}", href)
    ident = href.rsplit("/", 1)[1]
    card = page.evaluate("(ident) => fetch(`/api/films/${ident}`).then((answer) => answer.json())", ident)
    assert card["views"]["layout"] == "left-right"
    page.click("#jobs a:has-text('Watch')")
    page.wait_for_url(f"**{href}")
    watched(page)
    assert page.wrong == []


def test_five_films_a_file_that_is_none_and_two_pages(chromium: Any, server: Server, tmp_path: Path) -> None:
    first = make_film(server.folder / "film 0.mp4", frames=16, size=(64, 96))
    for number in range(1, 5):
        shutil.copy(first, server.folder / f"film {number}.mp4")
    one, two = opened(chromium, server), opened(chromium, server)
    no_film = tmp_path / "notes.mp4"
    no_film.write_text("no film at all")
    drop(one, no_film)
    one.wait_for_selector('#uploads .error:has-text("not a readable film")')
    shutil.copy(first, server.folder / "copied.mp4")  # by the system's file manager
    one.wait_for_selector("#list strong:has-text('copied.mp4')")
    (server.folder / "copied.mp4").unlink()
    one.wait_for_selector("#list strong:has-text('copied.mp4')", state="detached")
    listed = [one.inner_text(f"#list li:nth-child({n}) strong") for n in range(1, 6)]
    for title in listed:
        one.evaluate(
            """async (title) => {
                const { films } = await (await fetch('/api/studio/films')).json();
                const film = films.find((each) => each.title === title).id;
                await fetch('/api/studio/jobs', { method: 'POST', body: JSON.stringify({ film, kind: 'convert', options: {} }),
                    headers: { 'Content-Type': 'application/json' } });
            }""",
            title,
        )
    for page in (one, two):
        page.click("#go-queue")
        page.wait_for_selector("#jobs li:nth-child(5)")
    last = two.inner_text("#jobs li:nth-child(5) strong")
    two.click("#jobs li:nth-child(5) button:has-text('Stop')")
    one.wait_for_selector(f"#jobs li:has-text('{last}') .stopped")  # what one page does the other one sees
    one.click(f"#jobs li:has-text('{last}') button[aria-label='Earlier']")
    two.wait_for_function(
        "(last) => document.querySelector('#jobs li:nth-child(4) strong').innerText === last", arg=last
    )
    assert one.locator("#jobs .running").count() <= 1
    two.click(f"#jobs li:has-text('{last}') button:has-text('Resume')")
    one.wait_for_function("document.querySelectorAll('#jobs .done').length === 5")
    assert (
        len(list(server.folder.glob("film * Full_SBS.mp4")) + list(server.folder.glob("film ?_LRF_Full_SBS.mp4"))) == 5
    )
    one.click("#jobs li:nth-child(1) button:has-text('Remove')")
    two.wait_for_function("document.querySelectorAll('#jobs li').length === 4")
    assert len(list(server.folder.glob("film ?_LRF_Full_SBS.mp4"))) == 5
    assert one.wrong == two.wrong == []


def test_a_full_disk_is_said_where_it_happens(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    small = make_film(tmp_path / "films/small.mp4", frames=60, size=(240, 320))
    large = make_film(tmp_path / "large.mp4", frames=200, size=(240, 320))
    limit = small.stat().st_size + 20_000
    assert large.stat().st_size > limit
    server = Server(tmp_path / "films", tmp_path / "home", largest=limit)
    try:
        page = opened(chromium, server)
        drop(page, large)
        page.wait_for_selector('#uploads .error:has-text("can\'t be written")')
        assert "choose the file again to resume" in page.inner_text("#uploads")
        page.click("#list button:has-text('small.mp4')")
        drawn(page)
        page.evaluate("studio.options.set('quality', 0)")  # a result that is larger than the source
        page.click("#convert")
        page.wait_for_selector("#jobs .failed")
        assert "small" in page.inner_text("#jobs .error")
        assert page.locator("#jobs button:has-text('Try again')").count() == 1
        assert not (server.folder / "small_LRF_Full_SBS.mp4").exists()
        assert page.wrong == []
    finally:
        server.process.terminate()
        server.end()


def test_a_sample_in_the_headset(chromium: Any, server: Server) -> None:
    if not IWER.is_file():
        pytest.skip("iwer isn't installed: npm ci in tests/serve")
    make_film(server.folder / "clip.mp4", frames=96, size=(90, 160))
    page = opened(chromium, server, headset=True)
    page.click("#list button")
    drawn(page)
    page.click("#sample")
    page.wait_for_selector("#watch-sample")
    place = page.evaluate("location.hash")
    assert place.startswith("#/film/")
    sample = server.folder / "samples/clip_sample_LRF_Full_SBS.mp4"
    assert 45 <= len(read_film(sample)["frames"]) <= 60  # from the middle to the end
    href = page.get_attribute("#watch-sample", "href")
    ident = href.rsplit("/", 1)[1]
    answer = page.evaluate(
        "(ident) => fetch(`/film/${ident}`, { headers: { Range: 'bytes=0-9' } }).then((a) => a.status)", ident
    )
    assert answer == 206
    page.click("#watch-sample")
    page.wait_for_url(f"**{href}")
    watched(page)
    page.goto(f"{server.url}{place}")  # as by the browser's way back
    page.wait_for_selector("#film:not([hidden])")  # back at the film, with its options
    drawn(page)
    assert page.wrong == []


def test_a_still_is_brought_to_life(chromium: Any, server: Server) -> None:
    import cv2
    import numpy as np

    from tests.films import picture

    cv2.imwrite(str(server.folder / "photo.png"), np.ascontiguousarray(picture(3, 96, 160)[..., ::-1]))
    page = opened(chromium, server)
    page.click("#list button")
    drawn(page)
    page.click("#way-gen")
    page.wait_for_function("studio.options.fields.has('move')")
    page.evaluate("studio.options.set('seconds', 1)")
    page.click("#convert")
    page.wait_for_selector("#jobs .done")
    made = [path.name for path in server.folder.glob("*.mp4")]
    assert len(made) == 1, made
    assert page.locator("#jobs a:has-text('Watch')").count() == 1
    assert page.wrong == []
