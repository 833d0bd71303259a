"""`gen` with a model: clips longer than a window, any shape, --scale, and programs of the user's own."""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")

from stereocast import api  # noqa: E402
from stereocast.errors import StereocastError, UsageError  # noqa: E402
from stereocast.gen.framing import filled  # noqa: E402
from stereocast.jobs.generate import long  # noqa: E402
from tests.models import tiny  # noqa: E402

FAST = {
    "steps": 2,
    "cfg": 1.0,
    "restart_passes": 1,
    "restart_steps": 1,
    "encoder": "x264",
    "depth": "embedded",
    "device": "cpu",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("weights"), "512")


def still(path: Path, height: int, width: int) -> Path:
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((height, width, 3), np.float32), (0, 0), 5)
    cv2.imwrite(str(path), np.clip((noise - 0.5) * 900 + 128, 0, 255).astype(np.uint8))
    return path


def frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


@pytest.mark.parametrize("form", ["mono", "sbs"])
def test_a_longer_clip_goes_on_from_its_last_frames(
    folder: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[float] = []
    one = long._Windows._one

    def watched(self: long._Windows, *given: object) -> object:
        made = one(self, *given)
        if hasattr(self, "was"):  # what the window before ended with, as this one begins
            shared.append(float(np.abs(self.was - made[4][:2]).max()))
        self.was = made[4][-2:]
        return made

    monkeypatch.setattr(long._Windows, "_one", watched)
    made = api.generate(
        still(tmp_path / "a.png", 64, 128),
        format=form,
        weights=[str(folder)],
        frames=4,
        gen_overlap=2,
        seconds=1.25,
        **FAST,
    )
    assert made.frames == 10
    assert len(shared) == 3
    assert max(shared) < 1e-5


@pytest.mark.parametrize(("height", "width"), [(200, 100), (120, 120), (100, 260)])
def test_the_picture_keeps_its_shape_without_bars(folder: Path, height: int, width: int) -> None:
    source = long.registry.load(long.registry.GENERATORS, "generator", "dynamicrafter")(
        folder, long.GenSettings(frames=4), "cpu"
    )
    source.fit(height, width)
    rows, columns = source.config.height, source.config.width
    assert rows * columns <= 2.1 * 64 * 128
    assert (rows > columns) == (height > width)
    picture = filled(np.ones((height, width, 3), np.float32), rows, columns)
    assert picture.shape == (rows, columns, 3)
    assert picture.min() > 0.999


def test_scale_and_the_models_own_shape(folder: Path, tmp_path: Path) -> None:
    portrait = still(tmp_path / "p.png", 200, 100)
    common = {"weights": [str(folder)], "frames": 4, "format": "mono", **FAST}
    made = api.generate(portrait, tmp_path / "a.mp4", scale=0.5, **common)
    assert frames(made.plan.outputs[0]).shape[1:3] == (64, 32)
    made = api.generate(portrait, tmp_path / "b.mp4", shape="model", **common)
    assert frames(made.plan.outputs[0]).shape[1:3] == (64, 128)


PROGRAM = """
import sys, pathlib, cv2
source, target = map(pathlib.Path, sys.argv[-2:])
names = sorted(source.glob("*.png"))
for n, path in enumerate(names):
    image = cv2.imread(str(path), -1)
    if "double" in sys.argv:
        cv2.imwrite(str(target / f"{n:04d}.png"), cv2.resize(image, None, fx=2, fy=2))
    if "between" in sys.argv:
        for k in (0, 1):
            cv2.imwrite(str(target / f"{2 * n + k:04d}.png"), image)
if "fail" in sys.argv:
    sys.exit("no such luck")
"""


def test_programs_enlarge_the_frames_and_add_some(tmp_path: Path) -> None:
    program, picture = tmp_path / "program.py", still(tmp_path / "a.png", 48, 64)
    program.write_text(PROGRAM)
    run = f"{sys.executable} {program}"
    common = {"model": "camera", "seconds": 0.4, "fps": 10, "encoder": "x264", "format": "sbs", "depth": "embedded"}
    made = api.generate(picture, tmp_path / "out.mp4", upscale=f"{run} double", interpolate=f"{run} between", **common)
    assert frames(tmp_path / "out.mp4").shape[:3] == (8, 96, 256)
    assert (made.plan.info.rate, made.frames) == (20, 8)
    assert "became 128x96" in made.notes[-1]
    with pytest.raises(StereocastError, match="no such luck"):
        api.generate(picture, tmp_path / "no.mp4", upscale=f"{run} fail", **common)
    with pytest.raises(StereocastError, match="wrote no pictures"):
        api.generate(picture, tmp_path / "no.mp4", upscale=run, **common)
    with pytest.raises(UsageError, match="--upscale nowhere-at-all: no such program"):
        api.generate(picture, tmp_path / "no.mp4", upscale="nowhere-at-all", **common)
    assert not (tmp_path / "no.mp4").exists()


def test_a_loop_is_one_window(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seconds 4: a loop"):
        api.generate(
            still(tmp_path / "a.png", 64, 64),
            weights=[str(folder)],
            loop=True,
            seconds=4.0,
            frames=4,
            model="512",
            **FAST,
        )
