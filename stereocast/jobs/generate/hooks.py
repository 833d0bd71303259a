"""Runs the user's own programs on the frames before encoding: upscaling and frame interpolation.

A program is run once per view as `COMMAND IN OUT`: IN is a folder of numbered 16-bit PNGs, OUT an empty folder. The
pictures that it writes to OUT, sorted by name, replace the frames.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stereocast.errors import StereocastError, UsageError
from stereocast.jobs.generate.film import Film
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import GenSettings
from stereocast.types import Array, Layout


def check(settings: GenSettings) -> None:
    """Rejects a program that doesn't exist. Raises UsageError."""
    for option, command in (("--upscale", settings.upscale), ("--interpolate", settings.interpolate)):
        if command is None:
            continue
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"{option} {command}: {error}") from error
        if not words or shutil.which(words[0]) is None:
            raise UsageError(f"{option} {command}: no such program")


def applied(film: Film, settings: GenSettings, progress: OnProgress) -> Film:
    """The film after running the programs of the settings. Raises StereocastError."""
    commands = [
        (name, command)
        for name, command in (("upscale", settings.upscale), ("interpolate", settings.interpolate))
        if command
    ]
    if not commands:
        return film
    mono = settings.format is Layout.MONO
    with tempfile.TemporaryDirectory(prefix="stereocast-") as place:
        sides = [Path(place) / side / "0" for side in ("left", "right")[: 1 if mono else 2]]
        for folder in sides:
            folder.mkdir(parents=True)
        for number, pair in enumerate(film.pairs):
            for folder, view in zip(sides, pair, strict=False):
                cv2.imwrite(str(folder / f"{number:06d}.png"), np.rint(view[..., ::-1] * 65535).astype(np.uint16))
        for done, (name, command) in enumerate(commands):
            progress(Progress(name, done, len(commands)))
            sides = [_run(name, command, folder) for folder in sides]
        found = [_pictures(folder) for folder in sides]
        views = [list(_read(paths)) for paths in found]
    counts, shapes = {len(view) for view in views}, {one.shape for view in views for one in view}
    if len(counts) != 1 or len(shapes) != 1:
        raise StereocastError(f"--{commands[-1][0]}: its pictures differ in size, or in number between the views")
    count, (height, width, _) = counts.pop(), shapes.pop()
    height, width = height // 2 * 2, width // 2 * 2
    rate = film.rate * Fraction(count, film.frames) if settings.interpolate else film.rate
    cut = [[one[:height, :width] for one in view] for view in views]
    note = " and ".join(f"--{name}" for name, _ in commands)
    notes = (*film.notes, f"{note}: {film.width}x{film.height}, {film.frames} frames became {width}x{height}, {count}")
    return Film(
        film.model, height, width, count, rate.limit_denominator(1001), iter(zip(cut[0], cut[-1], strict=True)), notes
    )


def _run(name: str, command: str, source: Path) -> Path:
    """Runs a program on a folder of pictures and returns its output folder. Raises StereocastError."""
    target = source.with_name(f"{source.name}-{name}")
    target.mkdir()
    ended = subprocess.run(
        [*shlex.split(command), str(source), str(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ended.stdout.strip().splitlines() or ["no output"]
        raise StereocastError(f"--{name} {command}: exited with code {ended.returncode}: {said[-1]}")
    if not _pictures(target):
        raise StereocastError(f"--{name} {command}: wrote no pictures to its output folder")
    return target


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".tif")
    )


def _read(paths: list[Path]) -> Iterator[Array]:
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.ndim != 3:
            raise StereocastError(f"{path.name}: the program's picture can't be read as a colour image")
        yield image[..., 2::-1].astype(np.float32) / (255 if image.dtype == np.uint8 else 65535)
