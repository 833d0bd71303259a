"""The sample films are what their README says, and their truth is true."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "samples"


def pictures(name: str, form: str = "rgb24") -> Iterator[np.ndarray]:
    with av.open(str(FOLDER / name)) as box:
        for frame in box.decode(video=0):
            yield frame.to_ndarray(format=form)


@pytest.mark.parametrize(("name", "frames"), [("street.mp4", 96), ("close.mp4", 90)])
def test_film(name: str, frames: int) -> None:
    path = FOLDER / name
    assert path.stat().st_size < 1_500_000
    with av.open(str(path)) as box:
        video, sound = box.streams.video[0], box.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (1280, 720, 24)
        assert sound.codec_context.name == "aac"
        assert sound.codec_context.sample_rate == 48_000
        assert float(sound.duration * sound.time_base) == pytest.approx(frames / 24, abs=0.1)
        times = [frame.time for frame in box.decode(video)]
    assert np.diff(times) == pytest.approx(1 / 24, abs=1e-4)
    assert len(times) == frames
    with av.open(str(path)) as box:
        loud = np.concatenate([frame.to_ndarray() for frame in box.decode(audio=0)], axis=1)
    assert 0.2 < np.abs(loud).max() <= 1


def test_one_hard_cut() -> None:
    small = np.stack([cv2.resize(p, (64, 36), interpolation=cv2.INTER_AREA) for p in pictures("close.mp4")])
    change = np.abs(np.diff(small.astype(np.float32), axis=0)).mean(axis=(1, 2, 3))
    assert int(change.argmax()) == 49  # between frames 49 and 50
    assert change[49] > 5 * np.delete(change, 49).max()


def test_still() -> None:
    picture = cv2.imread(str(FOLDER / "street.png"))
    assert picture.shape == (720, 1280, 3)
    film = next(islice(pictures("street.mp4"), 40, None))[..., ::-1].astype(np.float32)
    assert np.abs(film - picture).mean() < 9


def test_truth_brings_the_right_eye_over_the_left() -> None:
    facts = json.loads((FOLDER / "street.json").read_text())
    films = pictures("street.mp4"), pictures("street_right.mp4"), pictures("street_depth.mkv", "gray16le")
    count = 0
    for k, (left, right, depth) in enumerate(zip(*films, strict=True)):
        count += 1
        if k not in (0, 47, 95):
            continue
        height, width = right.shape[:2]
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        inverse = cv2.resize(depth.astype(np.float32), (width, height)) / 65535 * facts["depth_scale"]
        disparity = inverse * facts["f_px"] * facts["baseline_m"] * width / facts["width"]
        assert 6 < disparity.max() < 40
        seen = cv2.resize(left, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        moved = cv2.remap(right.astype(np.float32), columns - disparity, rows, cv2.INTER_LINEAR)
        inside = columns > 40
        error = np.abs(moved - seen).mean(-1)[inside].mean()
        assert error < 0.5 * np.abs(right.astype(np.float32) - seen).mean(-1)[inside].mean()
        backwards = cv2.remap(right.astype(np.float32), columns + disparity, rows, cv2.INTER_LINEAR)
        assert error < 0.4 * np.abs(backwards - seen).mean(-1)[inside].mean()
    assert count == facts["frames"]


@pytest.mark.slow
def test_a_rerun_draws_the_same_picture(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "make.py"), "--only", "close", "--width", "1280", "--frames", "1"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    with av.open(str(tmp_path / "close.mp4")) as box:
        again = next(box.decode(video=0)).to_ndarray(format="rgb24").astype(np.float32)
    assert np.abs(again - next(pictures("close.mp4"))).mean() < 3
