"""Draws the sample films: `python samples/make.py [--only street|close] [--out DIR] [--width 1280] [--frames N]`.

Needs numpy, numba and PyAV. Fixed seeds: a rerun draws the same pictures. The full size takes about half an hour of
CPU time; `--width 320 --frames 8` is a look in a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from render import close, image, sound, street, trace

HERE = Path(__file__).resolve().parent
STILL_FRAME = 40
TRUTH_SHRINK = 2  # the right eye is drawn at half the width of the film
DEPTH_SHRINK = 4  # the depth is kept at a quarter


class Film:
    """A video file with one optional sound track."""

    def __init__(
        self, path: Path, size: tuple[int, int], rate: int, codec: str, pixels: str, options: dict[str, str]
    ) -> None:
        self.box = av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {})
        self.video = self.box.add_stream(codec, rate=rate, options=options)
        self.video.width, self.video.height, self.video.pix_fmt = *size, pixels
        self.video.thread_count = 1
        self.video.time_base = self.tick = Fraction(1, rate)  # the stream's own changes when the header is written
        self.pixels, self.count, self.sound = pixels, 0, None
        if pixels == "yuv420p":
            context = self.video.codec_context
            context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1

    def write(self, picture: np.ndarray) -> None:
        """The next frame: uint8 RGB, or uint16 gray."""
        if self.pixels == "gray16le":
            frame = av.VideoFrame.from_ndarray(picture, format="gray16le")
        else:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p",
                src_colorspace=1,
                dst_colorspace=1,
                src_color_range=2,
                dst_color_range=1,
                interpolation="AREA",
            )
        frame.pts, frame.time_base = self.count, self.tick
        self.count += 1
        self.box.mux(self.video.encode(frame))

    def close(self, track: np.ndarray | None = None) -> None:
        """The rest of the video, then the sound."""
        self.box.mux(self.video.encode(None))
        if track is not None:
            stream = self.sound
            for start in range(0, track.shape[1], 1024):
                piece = np.ascontiguousarray(track[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts, frame.time_base = sound.RATE, start, Fraction(1, sound.RATE)
                self.box.mux(stream.encode(frame))
            self.box.mux(stream.encode(None))
        self.box.close()

    def add_sound(self) -> None:
        """Room for an AAC track, before the first frame."""
        self.sound = self.box.add_stream("aac", rate=sound.RATE, layout="stereo")
        self.sound.bit_rate = 96_000
        self.sound.metadata["language"] = "eng"


def views(scene: object, width: int, frames: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Left picture, its depth, and for the street the right picture at half size, frame after frame."""
    still, light = trace.build(scene.still()), scene.light()
    height = width * 9 // 16
    for index in range(frames):
        time = index / scene.FPS
        moving, camera = trace.build(scene.moving(time)), scene.camera(time)
        picture, depth = image.draw(still, moving, camera, light, width, height)
        right = None
        if scene is street:
            eye = camera.right_eye(scene.BASELINE_M)
            right, _ = image.draw(still, moving, eye, light, width // TRUTH_SHRINK, height // TRUTH_SHRINK)
        yield picture, depth, right
        print(f"\r{index + 1}/{frames}", end="", flush=True)
    print()


def film(path: Path, width: int, rate: int, crf: int, title: str) -> Film:
    """An H.264 film."""
    options = {"crf": str(crf), "preset": "veryslow", "g": str(rate * 2)}
    made = Film(path, (width, width * 9 // 16), rate, "libx264", "yuv420p", options)
    made.box.metadata["title"] = title
    return made


def make_street(out: Path, width: int, frames: int) -> None:
    """street.mp4, street.png, and its truth: street_right.mp4, street_depth.mkv, street.json."""
    left = film(out / "street.mp4", width, street.FPS, 29, "A walk down a street")
    left.add_sound()
    right = film(out / "street_right.mp4", width // TRUTH_SHRINK, street.FPS, 26, "The right eye of the walk")
    small = (width // DEPTH_SHRINK, width * 9 // 16 // DEPTH_SHRINK)
    inverse = Film(
        out / "street_depth.mkv",
        small,
        street.FPS,
        "ffv1",
        "gray16le",
        {"level": "3", "coder": "1", "context": "1", "slices": "4", "g": "12"},
    )
    scale = 0.5  # 65535 stands for 0.5 / m: nothing comes nearer than 2 m
    inverse.box.metadata["depth_scale"] = str(scale)
    for index, (picture, depth, other) in enumerate(views(street, width, frames)):
        left.write(picture)
        right.write(other)
        values = 1 / depth[DEPTH_SHRINK // 2 :: DEPTH_SHRINK, DEPTH_SHRINK // 2 :: DEPTH_SHRINK]
        inverse.write(
            (np.round(np.clip(values / scale, 0, 1) * 4095) * 16).astype(np.uint16)
        )  # 12 bits do, and pack well
        if index == min(STILL_FRAME, frames - 1):
            save_png(out / "street.png", picture)
    left.close(sound.street(frames / street.FPS, street.STEP_HZ))
    right.close()
    inverse.close()
    facts = {
        "f_px": street.FOCAL * width,
        "width": width,
        "baseline_m": street.BASELINE_M,
        "depth_scale": scale,
        "rate": street.FPS,
        "frames": frames,
        "note": "x_left - x_right = f_px * baseline_m * inverse depth, in pixels of `width`; parallel cameras",
    }
    (out / "street.json").write_text(json.dumps(facts, indent=2) + "\n")


def make_close(out: Path, width: int, frames: int) -> None:
    """close.mp4, with its hard cut at frame CUT."""
    made = film(out / "close.mp4", width, close.FPS, 23, "A pot and a toy train")
    made.add_sound()
    for picture, _, _ in views(close, width, frames):
        made.write(picture)
    made.close(sound.close(frames / close.FPS, close.CUT / close.FPS))


def save_png(path: Path, picture: np.ndarray) -> None:
    """One still as PNG."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as box:
        stream = box.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "rgb24"
        box.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        box.mux(stream.encode(None))


def main() -> None:
    """Reads the options and makes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["street", "close"])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--width", type=int, default=1280, help="a multiple of 128 keeps every size even")
    parser.add_argument("--frames", type=int, help="only the first frames")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    for name, scene, make in (("street", street, make_street), ("close", close, make_close)):
        if wanted.only in (None, name):
            make(wanted.out, wanted.width, min(wanted.frames or scene.FRAMES, scene.FRAMES))


if __name__ == "__main__":
    main()
