"""The page in a real Chromium, and an emulated Quest 3 (Immersive Web Emulation Runtime)."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING or find_spec("starlette"):  # the core suite runs without the serve extra
    from tests.serve.browser import IWER, RATE, Headset, Page


def write(path: Path, frames: list[np.ndarray], *, title: str = "") -> Path:
    """Frames `[H, W, 3]` RGB as H.264."""
    import av

    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if title:
            out.metadata["title"] = title
        for n, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _colours() -> list[np.ndarray]:
    """The left view is red, the right one blue, a white bar moves with time."""
    frames = []
    for n in range(8 * RATE):
        image = np.zeros((180, 640, 3), np.uint8)
        image[:, :320] = (200, 30, 30)
        image[:, 320:] = (30, 30, 200)
        for half in (0, 320):
            image[80:100, half + n : half + n + 16] = 255
        frames.append(image)
    return frames


def _near(disparity: int) -> list[np.ndarray]:
    """Noise at the screen's depth; its lower half stands out by `disparity` pixels of 320."""
    noise = np.random.default_rng(5).integers(30, 226, (45, 100), np.uint8)
    view = np.repeat(np.repeat(noise, 4, 0), 4, 1)  # [180, 400]
    left, right = view[:, 40:360].copy(), view[:, 40:360].copy()
    left[90:] = view[90:, 40 - disparity // 2 : 360 - disparity // 2]
    right[90:] = view[90:, 40 + disparity // 2 : 360 + disparity // 2]
    pair = np.concatenate([left, right], 1)
    return [np.repeat(pair[..., None], 3, 2)] * (8 * RATE)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: a film in two colours with subtitles, one that stands out, an upright one, a folder below, pictures."""
    import cv2

    root = tmp_path_factory.mktemp("films")
    (root / "deep").mkdir()
    write(root / "colours_LRF_Full_SBS.mp4", _colours())
    (root / "colours_LRF_Full_SBS.srt").write_text(
        "1\n00:00:00,000 --> 00:00:08,000\nA line of text\n<i>and another</i>\n"
    )
    (root / "colours_LRF_Full_SBS.de.srt").write_text("1\n00:00:00,000 --> 00:00:08,000\nEine Zeile\n")
    write(root / "near_LRF_Full_SBS.mp4", _near(16))
    (root / "near_LRF_Full_SBS.srt").write_text("1\n00:00:00,000 --> 00:00:08,000\nBefore it\n")
    write(root / "upright.mp4", [np.full((320, 180, 3), 90, np.uint8)] * (2 * RATE))
    write(root / "deep" / "below.mp4", [np.full((90, 160, 3), 60, np.uint8)] * RATE, title="A title from the tags")
    picture = np.zeros((180, 640, 3), np.uint8)
    picture[:, :320, 2], picture[:, 320:, 0] = 200, 200  # BGR: red on the left, blue on the right
    cv2.imwrite(str(root / "still_LRF_Full_SBS.png"), picture)
    return root


@pytest.fixture
def page(chromium: Any, films: Path, tmp_path: Path) -> Iterator["Page"]:
    with Page.opened(chromium, films, tmp_path) as made:
        yield made


@pytest.fixture
def headset(chromium: Any, films: Path, tmp_path: Path) -> Iterator["Headset"]:
    if not IWER.is_file():
        pytest.skip("iwer isn't installed: npm ci in tests/serve")
    with Headset.opened(chromium, films, tmp_path, viewport=(640, 320)) as made:
        yield made
