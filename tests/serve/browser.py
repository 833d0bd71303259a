"""The page and the headset as a test handles them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from stereocast.serve import app as web
from stereocast.serve.library import Library
from tests.serve.running import running

IWER = Path(__file__).parent / "node_modules/iwer/build/iwer.min.js"
RATE = 24
_DEVICE = (
    "window.device = new IWER.XRDevice(IWER.metaQuest3); device.stereoEnabled = true;"
    "device.installRuntime({ forceInstall: true });"
)
# drawing in software takes 50 ms a frame with antialiasing and 30 without
_PLAIN = """{
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, wishes) { return getContext.call(this, kind, wishes && { ...wishes, antialias: false }); };
}"""
# turns a controller so that its ray meets a widget of the panel, `along` of the way from its left to its right edge
_POINT = """([id, along, hand]) => {
  const { panel } = stereocast.headset, w = panel.widgets.find((one) => one.id === id), m = panel.frame;
  if (!w) throw new Error(`no ${id} on the panel: ${panel.widgets.map((one) => one.id)}`);
  const R = 1.25, wide = 1.3, tall = (1.3 * 1100) / 1600;
  const angle = (((w.x + w.w * along) / 1600 - 0.5) * wide) / R, height = (0.5 - (w.y + w.h / 2) / 1100) * tall;
  const p = [R * Math.sin(angle), height, -R * Math.cos(angle)];
  const at = [0, 1, 2].map((r) => m[r] * p[0] + m[4 + r] * p[1] + m[8 + r] * p[2] + m[12 + r]);
  const from = [hand === "left" ? -0.2 : 0.2, -0.35, -0.2], d = at.map((v, n) => v - from[n]);
  const yaw = Math.atan2(-d[0], -d[2]) / 2, pitch = Math.atan2(d[1], Math.hypot(d[0], d[2])) / 2;
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const tool = device.primaryInputMode === "hand" ? device.hands[hand] : device.controllers[hand];
  tool.position.set(from[0], 1.6 + from[1], from[2]);
  tool.quaternion.set(cy * sp, sy * cp, -sy * sp, cy * cp);
}"""
_FRAMES = """(count) => new Promise((done) => {
  const { session } = stereocast.headset, step = () => (count-- > 0 && stereocast.headset.session ? session.requestAnimationFrame(step) : done());
  step();
})"""


class Page:
    """The page with its library, and what a test looks at."""

    init: tuple[str, ...] = ()

    def __init__(self, page: Any, url: str, pictures: Path) -> None:
        self.page, self.url, self.pictures = page, url, pictures
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(120_000)

    @classmethod
    @contextmanager
    def opened(
        cls, chromium: Any, films: Path, pictures: Path, viewport: tuple[int, int] = (900, 560), **context: Any
    ) -> Iterator[Self]:
        """A new page on a new server whose library is `films`."""
        with running(web.build(Library(films))) as url:
            made = chromium.new_context(
                viewport={"width": viewport[0], "height": viewport[1]}, bypass_csp=True, **context
            )
            page = made.new_page()
            cls.prepare(page)
            opened = cls(page, url, pictures)
            page.goto(url)
            page.wait_for_selector("#films .card")
            try:
                yield opened
                assert not opened.errors
            finally:
                made.close()

    @classmethod
    def prepare(cls, page: Any) -> None:
        """What has to be there before the page's own scripts."""

    def js(self, script: str, value: Any = None) -> Any:
        return self.page.evaluate(script, value)

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def open(self, name: str = "colours") -> None:
        """Opens the film of that name from the library."""
        self.page.click(f'#films .card[title^="{name}"]')
        self.until("stereocast.player.film !== null")
        if self.js("!stereocast.player.isPicture"):
            self.until("stereocast.video.readyState >= 2")

    def now(self) -> float:
        return float(self.js("stereocast.video.currentTime"))

    def pause_at(self, seconds: float) -> None:
        self.js(f"stereocast.video.pause(), stereocast.video.currentTime = {seconds}")
        self.until("!stereocast.video.seeking && stereocast.video.readyState >= 2")

    def drawn(self) -> None:
        """Waits until what was changed is drawn."""
        self.js(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
        )

    def picture(self, name: str, where: str = "#flat") -> np.ndarray:
        """What is seen, RGB."""
        self.drawn()
        data = self.page.locator(where).screenshot(path=str(self.pictures / f"{name}.png"))
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]

    def shot(self, name: str) -> np.ndarray:
        data = self.page.screenshot(path=str(self.pictures / f"{name}.png"))
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


class Headset(Page):
    """The same in an emulated headset."""

    @classmethod
    def prepare(cls, page: Any) -> None:
        page.add_init_script(path=str(IWER))
        page.add_init_script(_DEVICE)
        page.add_init_script(_PLAIN)

    def enter(self, name: str = "colours") -> None:
        """Opens a film, pauses it, and puts the headset on."""
        self.open(name)
        self.page.wait_for_selector("#enter:not([hidden])")
        self.js("document.querySelector('#enter').click()")
        self.until("stereocast.headset.drawn > 3")
        self.js("stereocast.video.pause()")
        self.frames()

    def frames(self, count: int = 2) -> None:
        """Waits for frames of the headset."""
        self.js(_FRAMES, count)

    def point(self, widget: str, along: float = 0.5, hand: str = "right") -> None:
        """Points at something on the panel, which is shown for it."""
        aimed = f"stereocast.headset.pointers.rays.some((ray) => ray.hand === '{hand}' && ray.spot?.id === '{widget}')"
        listed = f"stereocast.headset.panel.widgets.some((one) => one.id === '{widget}' && !one.disabled)"
        for _ in range(30):  # on a busy machine seconds pass between two frames, and the panel goes meanwhile
            self.js("stereocast.headset.panel.shown || stereocast.headset.showPanel()")
            self.js("stereocast.headset.panel.touch()")
            if self.js(listed):
                self.js(_POINT, [widget, along, hand])
                self.frames(1)
                if self.js(aimed):
                    return
            self.frames(1)
        raise AssertionError(f"{widget} can't be pointed at")

    def trigger(self, value: int, hand: str = "right") -> None:
        self.js(f"device.controllers.{hand}.updateButtonValue('trigger', {value})")
        self.frames(1)

    def click(self, widget: str, along: float = 0.5, hand: str = "right") -> None:
        """Points at something and pulls the trigger."""
        self.point(widget, along, hand)
        self.trigger(1, hand)
        self.trigger(0, hand)

    def sheet(self, name: str) -> None:
        """Opens a page of the panel."""
        if self.js("stereocast.headset.panel.page") != name:
            self.click(f"tab:{name}")
        self.until(f"stereocast.headset.panel.page === '{name}'")

    def widget(self, name: str) -> Any:
        """What the panel shows there."""
        return self.js(
            "(id) => { const w = stereocast.headset.panel.widgets.find((one) => one.id === id); return w && JSON.parse(JSON.stringify(w)); }",
            name,
        )

    def eyes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """What both eyes see, RGB."""
        self.frames(3)
        seen = self.shot(name)
        middle = seen.shape[1] // 2
        return seen[:, :middle], seen[:, middle:]
