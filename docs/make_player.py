"""Takes the pictures of docs/serve.md: the page at the sizes of a desktop, a phone and a headset, and both eyes in VR.

    pip install '.[all,dev]' && (cd tests/serve && npm ci) && python docs/make_player.py [--only flat,headset]

The films are made from the samples: the walk with its true right eye, and the train. Needs Chromium; the headset is emulated (iwer).
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.serve.browser import IWER, Headset, Page  # noqa: E402
from tests.serve.conftest import write  # noqa: E402

TARGET = ROOT / "docs/images/player"
SAMPLES = ROOT / "samples"
SIZES = {"desktop": (1200, 720), "phone": (390, 780), "landscape": (780, 390)}
WORDS = "1\n00:00:00,000 --> 00:00:20,000\nWords keep before the picture,\n<i>however near it comes.</i>\n"


def frames(name: str, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The sample's frames `[H, W, 3]`, RGB."""
    with av.open(str(SAMPLES / name)) as container:
        for frame in container.decode(video=0):
            yield cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA)


def library(folder: Path) -> Path:
    """A small library in `folder`."""
    (folder / "Holiday").mkdir()
    size = (640, 360)
    pairs = [
        np.concatenate(pair, 1)
        for pair in zip(frames("street.mp4", size), frames("street_right.mp4", size), strict=True)
    ]
    write(folder / "A Walk_LRF_Full_SBS.mp4", pairs * 4)
    (folder / "A Walk_LRF_Full_SBS.srt").write_text(WORDS)
    train = list(frames("close.mp4", size))
    write(folder / "The Train.mp4", train * 2)
    upright = [np.ascontiguousarray(frame[:, 220:424]) for frame in train]
    write(folder / "Holiday/Upright.mp4", upright)
    square = [np.concatenate([cv2.resize(half, (360, 360)) for half in np.split(pair, 2, 1)], 1) for pair in pairs]
    write(folder / "Holiday/All Around_180x180_3dh.mp4", square)
    cv2.imwrite(str(folder / "Holiday/A Still_LRF_Full_SBS.jpg"), pairs[70][..., ::-1])
    return folder


def save(name: str, seen: np.ndarray) -> None:
    """RGB uint8 as a JPEG."""
    TARGET.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET / f"{name}.jpg"), np.ascontiguousarray(seen[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 84])


def flat(chromium: Any, folder: Path, work: Path) -> None:
    """The list and the player at each size, and the settings."""
    for name, size in SIZES.items():
        with Page.opened(chromium, folder, work, size, has_touch=name != "desktop") as page:
            page.until("[...document.querySelectorAll('.card img')].every((one) => one.naturalWidth > 100)")
            page.until("document.querySelector('#state').textContent === ''")
            if name != "landscape":
                save(f"library-{name}", page.shot("list"))
            page.open("A Walk")
            page.pause_at(2.4)
            page.js("stereocast.player.choose({ text: 0 })")
            page.until(
                "document.querySelector('#caption').textContent !== '' && stereocast.player.thumbnails.image != null"
            )
            if name == "desktop":
                page.page.hover("#seek", position={"x": 200, "y": 20})
            page.drawn()
            save(f"player-{name}", page.shot("player"))
            if name == "phone":
                page.page.click("#settings")
                page.drawn()
                save("settings-phone", page.shot("settings"))


def headset(chromium: Any, folder: Path, work: Path) -> None:
    """Both eyes: the panel with a thumbnail, its library, the hands."""
    with Headset.opened(chromium, folder, work, (1400, 700)) as seen:
        seen.enter("A Walk")
        seen.pause_at(2.4)
        seen.js("stereocast.player.choose({ text: 0 }), stereocast.player.set('light', 0.5)")
        seen.until("stereocast.headset.signs.shown !== null && stereocast.player.thumbnails.image != null")
        for name in ("", "library"):
            if name:
                seen.js(f"stereocast.headset.panel.turn('{name}')")
            if name == "library":
                seen.until("stereocast.headset.panel.browse.items.length >= 4")
                seen.page.wait_for_timeout(1500)
            seen.point(f"tab:{name}" if name else "seek", along=0.3)
            save(f"headset-{name or 'panel'}", np.concatenate(seen.eyes("eyes"), 1))
        seen.js("stereocast.headset.panel.hide(), device.primaryInputMode = 'hand'")
        seen.until("stereocast.headset.hands.bones.length > 30")
        save("headset-hands", np.concatenate(seen.eyes("eyes"), 1))


def main() -> None:
    """Takes all of them."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="flat,headset")
    wanted = parser.parse_args().only.split(",")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None or not IWER.is_file():
        raise SystemExit("the pictures need Chromium on the PATH, and npm ci in tests/serve")
    switches = [
        "--no-sandbox",
        "--autoplay-policy=no-user-gesture-required",
        "--use-gl=angle",
        "--use-angle=swiftshader",
    ]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        work = Path(name)
        (work / "films").mkdir()
        browser = driver.chromium.launch(executable_path=program, args=[*switches, "--enable-unsafe-swiftshader"])
        folder = library(work / "films")
        if "flat" in wanted:
            flat(browser, folder, work)
        if "headset" in wanted:
            headset(browser, folder, work)
        browser.close()


if __name__ == "__main__":
    main()
