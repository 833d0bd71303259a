"""Pictures of the studio's page, from our own samples: python docs/make_studio.py [--all DIR]

Writes docs/images/studio-*.jpg. With --all, every state of the page at three sizes, light and dark, into DIR: to look at.
Needs Chromium on the PATH, playwright, and the extra `serve`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"phone": (390, 844), "desktop": (1440, 900), "headset": (1060, 660)}
PORT = 8397


@contextmanager
def studio(folder: Path, home: Path) -> Iterator[str]:
    """A studio of that folder."""
    words = [sys.executable, "-m", "stereocast", "studio", str(folder), "--port", str(PORT), "--no-browser"]
    environment = {**os.environ, "STEREOCAST_HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"http://localhost:{PORT}/studio"
    finally:
        process.terminate()
        process.wait(60)


class Camera:
    """Takes a state of the page at every size that is wanted."""

    def __init__(self, page: Any, docs: Path, everything: Path | None) -> None:
        self.page, self.docs, self.everything = page, docs, everything

    def take(self, name: str, *, for_docs: bool = False, selector: str = "") -> None:
        if for_docs:
            self.page.set_viewport_size({"width": 1360, "height": 860})
            self.page.wait_for_timeout(1200)
            self.page.evaluate("document.querySelector('#folder').textContent = 'films/'")
            place = self.page.locator(selector) if selector else self.page
            place.screenshot(path=str(self.docs / f"studio-{name}.jpg"), type="jpeg", quality=85)
        if self.everything is None:
            return
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark") if size == "desktop" else ("light",):
                self.page.emulate_media(color_scheme=scheme)
                self.page.wait_for_timeout(700)
                self.page.screenshot(
                    path=str(self.everything / f"{name}-{size}-{scheme}.png"), full_page=size == "phone"
                )
            wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                print(f"{name} at {size} is {wide} pixels too wide")
        self.page.emulate_media(color_scheme="light")


def drawn(page: Any) -> None:
    page.wait_for_function("!studio.look.busy && studio.look.image && studio.look.facts", timeout=300_000)


def look(page: Any, kind: str) -> None:
    page.click(f"#kind-{kind}")
    page.wait_for_timeout(100)
    drawn(page)


def walk(page: Any, url: str, camera: Camera, folder: Path) -> None:
    """Every state of the page, once."""
    page.goto(url)
    page.wait_for_selector("#none:not([hidden])")
    camera.take("empty")
    for name in ("street.mp4", "close.mp4", "street.png"):
        shutil.copy(ROOT / "samples" / name, folder / name)
    page.set_input_files("#file", [{"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"no film at all"}])
    page.wait_for_selector("#uploads .error", timeout=60_000)
    page.wait_for_timeout(2500)  # a listing is kept for two seconds
    page.reload()
    page.set_input_files("#file", [{"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"no film at all"}])
    page.wait_for_selector("#uploads .error", timeout=60_000)
    page.wait_for_selector("#list li:nth-child(3)")
    page.wait_for_function(
        "[...document.querySelectorAll('#list img')].every((one) => one.naturalWidth)", timeout=120_000
    )
    camera.take("films", for_docs=True)
    page.click("#list button:has-text('street.mp4')")
    drawn(page)
    page.wait_for_function("document.querySelectorAll('#strip img').length > 0", timeout=120_000)
    look(page, "wiggle")
    camera.take("wiggle")
    look(page, "depth")
    camera.take("depth")
    look(page, "filled")
    camera.take("filled")
    look(page, "packed")
    camera.take("packed")
    look(page, "anaglyph")
    camera.take("film", for_docs=True)
    page.click("#more summary")
    page.fill("#find", "border")
    camera.take("more")
    page.fill("#find", "")
    page.click("#more summary")
    page.select_option("#option-depth", "depthcrafter")
    page.wait_for_selector("#missing:not([hidden])", timeout=60_000)
    camera.take("missing")
    page.select_option("#option-depth", "auto")
    page.click("#convert")
    page.wait_for_selector("#jobs .running", timeout=60_000)
    page.click("#go-films")
    page.click("#list button:has-text('close.mp4')")
    page.wait_for_selector("#convert:not([disabled])")
    page.click("#convert")
    page.wait_for_selector("#jobs li:nth-child(2)", timeout=60_000)
    page.wait_for_function("/fps/.test(document.querySelector('#jobs').textContent)", timeout=300_000)
    camera.take("queue", for_docs=True)
    page.wait_for_selector("#jobs .done", timeout=900_000)
    page.click("#jobs li:nth-child(2) button:has-text('Stop')")
    page.wait_for_selector("#jobs .stopped", timeout=60_000)
    camera.take("stopped")
    page.click("#go-films")
    page.click("#list button:has-text('street.png')")
    drawn(page)
    page.click("#way-gen")
    page.wait_for_function("studio.options.fields.has('move')")
    drawn(page)
    camera.take("still", for_docs=True)
    page.click("#go-models")
    page.wait_for_selector("#weights li")
    camera.take("models", for_docs=True)


def main() -> int:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="DIR", help="every state at three sizes")
    given = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("no Chromium on the PATH", file=sys.stderr)
        return 1
    if given.all is not None:
        given.all.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        folder = Path(place) / "films"
        folder.mkdir()
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with studio(folder, Path(place) / "home") as url:
            page = browser.new_page(bypass_csp=True)  # to ask the page how far it is
            page.on("pageerror", lambda error: print(f"error in the page: {error}"))
            began = time.monotonic()
            walk(page, url, Camera(page, ROOT / "docs/images", given.all), folder)
            print(f"{time.monotonic() - began:.0f} s")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
