"""The page in a real Chromium, and in an emulated Quest 3 (Immersive Web Emulation Runtime)."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (dev)")

from stereocast import registry
from stereocast.catalog import settle
from stereocast.serve import app as web
from stereocast.serve.library import Library
from stereocast.serve.live import Live
from stereocast.settings import ConvertSettings
from tests.films import make_film
from tests.serve.running import running

pytestmark = pytest.mark.browser
IWER = Path(__file__).parent / "node_modules/iwer/build/iwer.min.js"
RATE = 24


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                "--use-gl=angle",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stereo_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds, side by side: the left view is red, the right one blue, a white bar moves with time."""
    import av

    path = tmp_path_factory.mktemp("films") / "colours_LRF_Full_SBS.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 640, 180, "yuv420p"
        for n in range(8 * RATE):
            image = np.zeros((180, 640, 3), np.uint8)
            image[:, :320] = (200, 30, 30)
            image[:, 320:] = (30, 30, 200)
            for half in (0, 320):
                image[80:100, half + n : half + n + 16] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (path.parent / "colours_LRF_Full_SBS.srt").write_text("1\n00:00:00,000 --> 00:00:08,000\nA line of text\n")
    return path


class Page:
    """The page with a film opened, and what a test looks at."""

    def __init__(self, page: Any, url: str, pictures: Path) -> None:
        self.page, self.pictures = page, pictures
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector("#films button")

    def open(self) -> None:
        self.page.click("#films button")
        self.page.wait_for_function("stereocast.video.currentTime > 0.2", timeout=60_000)

    def now(self) -> float:
        return float(self.page.evaluate("stereocast.video.currentTime"))

    def pause_at(self, seconds: float) -> None:
        self.page.evaluate(f"stereocast.video.pause(), stereocast.video.currentTime = {seconds}")
        self.page.wait_for_function("!stereocast.video.seeking && stereocast.video.readyState >= 2")
        self.page.wait_for_timeout(400)

    def picture(self, name: str) -> np.ndarray:
        data = self.page.locator("#flat").screenshot(path=str(self.pictures / f"{name}.png"))
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture
def page(chromium: Any, stereo_film: Path, tmp_path: Path) -> Iterator[Page]:
    with running(web.build(Library(stereo_film.parent))) as url:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        opened = Page(context.new_page(), url, tmp_path)
        yield opened
        assert not opened.errors
        context.close()


def test_library_is_shown(page: Page) -> None:
    text = page.page.inner_text("#films")
    assert "colours_LRF_Full_SBS.mp4" in text
    assert "0:08" in text
    assert "3D side by side" in text
    page.page.wait_for_function("document.querySelector('#films img').naturalWidth > 100")
    page.page.screenshot(path=str(page.pictures / "library.png"))


def test_a_film_plays_seeks_and_answers_the_keyboard(page: Page) -> None:
    page.open()
    keys = page.page.keyboard
    keys.press(" ")
    page.page.wait_for_function("stereocast.video.paused")
    page.pause_at(1)
    left = page.picture("left")
    assert left[20, 20, 0] > 150 and left[20, 20, 2] < 80
    bar = np.flatnonzero(left[left.shape[0] // 2].min(-1) > 180)
    assert bar.mean() / left.shape[1] == pytest.approx((24 + 8) / 320, abs=0.02)
    page.pause_at(6)
    bar = np.flatnonzero(page.picture("later")[left.shape[0] // 2].min(-1) > 180)
    assert bar.mean() / left.shape[1] == pytest.approx((144 + 8) / 320, abs=0.02)
    keys.press("s")
    page.page.wait_for_timeout(300)
    right = page.picture("right")
    assert right[20, 20, 2] > 150 and right[20, 20, 0] < 80
    keys.press("s")
    keys.press("a")
    page.page.wait_for_timeout(300)
    anaglyph = page.picture("anaglyph")
    assert np.abs(anaglyph.astype(int) - left).mean() > 20
    keys.press("a")
    page.page.wait_for_timeout(300)
    both = page.picture("both")
    assert both[20, 20, 0] > 150 and both[20, -20, 2] > 150
    page.page.evaluate("stereocast.video.currentTime = 1")
    keys.press("ArrowRight")
    page.page.wait_for_function("stereocast.video.currentTime > 7")
    keys.press("ArrowDown")
    assert page.page.evaluate("stereocast.video.volume") == pytest.approx(0.95)
    keys.press("]")
    assert page.page.evaluate("stereocast.settings.shift") == pytest.approx(0.002)
    page.page.select_option("#text", "0")
    page.page.wait_for_function("document.querySelector('#caption').textContent === 'A line of text'")
    page.page.screenshot(path=str(page.pictures / "player.png"))


def test_position_is_remembered(page: Page) -> None:
    page.open()
    page.pause_at(2.5)
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#library:not([hidden])")
    page.page.reload()
    page.page.wait_for_selector("#films button")
    page.open()
    assert page.now() == pytest.approx(2.5, abs=2.0)
    assert page.now() > 2.4


@pytest.fixture
def headset(chromium: Any, stereo_film: Path, tmp_path: Path) -> Iterator[Page]:
    if not IWER.is_file():
        pytest.skip("iwer isn't installed: npm ci in tests/serve")
    with running(web.build(Library(stereo_film.parent))) as url:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        made = context.new_page()
        made.add_init_script(path=str(IWER))
        made.add_init_script(
            "window.device = new IWER.XRDevice(IWER.metaQuest3); device.stereoEnabled = true; device.installRuntime({ forceInstall: true });"
        )
        opened = Page(made, url, tmp_path)
        opened.open()
        yield opened
        assert not opened.errors
        context.close()


def enter(headset: Page) -> None:
    headset.page.wait_for_selector("#enter:not([disabled])")
    headset.page.click("#enter")
    headset.page.wait_for_function("stereocast.headset.drawn > 6", timeout=60_000)


def test_a_session_starts_and_both_views_are_drawn(headset: Page) -> None:
    headset.page.evaluate("stereocast.set('shift', 0.001)")  # drawn by us, whatever layers there are
    enter(headset)
    ports = headset.page.evaluate("stereocast.headset.viewports")
    assert [port["eye"] for port in ports] == ["left", "right"]
    assert ports[0]["width"] > 100
    headset.page.wait_for_timeout(300)
    colours = headset.page.evaluate(
        """() => new Promise((done) => stereocast.headset.session.requestAnimationFrame(() => {
            const gl = stereocast.stereo.gl, seen = [];
            for (const port of stereocast.headset.viewports) {
                const pixel = new Uint8Array(4);
                gl.readPixels(port.x + port.width / 2, port.y + port.height * 0.53, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
                seen.push([...pixel]);
            }
            done(seen);
        }))"""
    )
    headset.page.screenshot(path=str(headset.pictures / "headset.png"))
    (left, right) = colours
    assert left[0] > 150 and left[2] < 80
    assert right[2] > 150 and right[0] < 80


def test_select_thumbstick_and_buttons_control(headset: Page) -> None:
    enter(headset)
    page = headset.page
    assert not page.evaluate("stereocast.video.paused")
    page.evaluate("device.controllers.right.updateButtonValue('trigger', 1)")
    page.wait_for_timeout(200)
    page.evaluate("device.controllers.right.updateButtonValue('trigger', 0)")
    page.wait_for_function("stereocast.video.paused")
    headset.page.evaluate("stereocast.video.currentTime = 1")
    before = page.evaluate("stereocast.settings.size")
    page.evaluate("device.controllers.right.updateAxes('thumbstick', 1, 0)")
    page.wait_for_function("stereocast.video.currentTime > 7")
    page.evaluate("device.controllers.right.updateAxes('thumbstick', 0, 0)")
    page.wait_for_timeout(200)
    page.evaluate("device.controllers.right.updateAxes('thumbstick', 0, -1)")
    page.wait_for_function(f"stereocast.settings.size > {before}")
    page.evaluate("device.controllers.right.updateAxes('thumbstick', 0, 0)")
    page.evaluate("device.controllers.left.updateButtonValue('squeeze', 1)")
    page.wait_for_timeout(200)
    page.evaluate("device.controllers.left.updateButtonValue('squeeze', 0)")
    page.wait_for_function("stereocast.settings.swapped")
    page.evaluate("stereocast.headset.session.end()")
    page.wait_for_function("stereocast.headset.session === null")


def test_media_layers_are_asked_for_as_the_standard_says(headset: Page) -> None:
    """A recording stand-in for XRMediaBinding: the emulator has none that shows video."""
    page = headset.page
    page.evaluate(
        """() => {
            window.asked = [];
            Object.defineProperty(
                XRSession.prototype, 'enabledFeatures', { get() { return ['layers', 'local-floor']; }, configurable: true });
            XRSession.prototype.updateRenderState = ((old) => function (state) {
                if (state.layers) {
                    asked.push(['state', state.layers.length]);
                    const { layers, ...rest } = state;
                    return old.call(this, { ...rest, baseLayer: layers[layers.length - 1] });
                }
                return old.call(this, state);
            })(XRSession.prototype.updateRenderState);
            window.XRMediaBinding = class {
                make(kind, video, init) {
                    const size = init.width || init.centralAngle || init.centralHorizontalAngle;
                    asked.push([kind, video.id, init.layout, init.invertStereo, size]);
                    return {};
                }
                createQuadLayer(v, i) { return this.make('quad', v, i); }
                createCylinderLayer(v, i) { return this.make('cylinder', v, i); }
                createEquirectLayer(v, i) { return this.make('equirect', v, i); }
            };
        }"""
    )
    enter(headset)
    for kind in ("cylinder", "sphere", "quad"):
        page.evaluate(f"stereocast.set('screen', '{kind}')")
    page.evaluate("stereocast.swap()")
    asked = [entry for entry in page.evaluate("asked") if entry[0] != "state"]
    assert [entry[0] for entry in asked[:4]] == ["quad", "cylinder", "equirect", "quad"]
    assert {tuple(entry[1:3]) for entry in asked} == {("video", "stereo-left-right")}
    assert [entry[3] for entry in asked] == [False] * (len(asked) - 1) + [True]
    assert asked[2][4] == pytest.approx(np.pi)
    assert page.evaluate("stereocast.headset.layered") == "quad"
    page.evaluate("stereocast.set('shift', 0.01)")
    assert page.evaluate("stereocast.headset.layered") == ""


class SlowDepth:
    """A ramp that takes its time, so that a test sees the conversion run."""

    held = 0

    def __init__(self, *_: object) -> None: ...

    def __call__(self, clips: Any) -> Any:
        import time

        from tests.fakes import RampDepth

        for pair in RampDepth()(clips):
            time.sleep(0.06)
            yield pair


def test_live_playback_starts_before_conversion_ends_and_a_seek_restarts(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.serve.test_browser:SlowDepth")})
    source = make_film(
        tmp_path / "in.mp4", frames=RATE * 40, size=(90, 160), audio=["aac"], options={"preset": "ultrafast", "g": "24"}
    )
    live = Live(settle(ConvertSettings, {"encoder": "x264", "depth": "embedded"}))
    with running(web.build(Library(None, (source,)), live)) as url:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page = Page(context.new_page(), url, tmp_path)
        page.open()
        assert not page.page.evaluate("stereocast.live.state.ended")
        assert page.page.evaluate("stereocast.video.buffered.length") == 1
        page.page.wait_for_function("stereocast.video.currentTime > 1")
        assert "real time" in page.page.inner_text("#note")
        page.page.evaluate("stereocast.video.currentTime = 30")
        page.page.wait_for_function(
            "stereocast.video.currentTime > 30.5 && stereocast.video.readyState >= 2", timeout=60_000
        )
        assert page.page.evaluate("stereocast.live.state.start_s") == pytest.approx(30, abs=0.1)
        assert not page.errors
        page.page.screenshot(path=str(tmp_path / "live.png"))
        context.close()
