"""Depth dissolved and downsampled, beside each other: `python -m bench sweep IMAGE --prompt TEXT --dissolve 0,20,40 --downsample 1,2,4`.

Runs `stereocast gen` for each pair of settings with everything else equal (the seed too), as in tables 4 and 6 of StereoCrafter-Zero, and prints
what both views agree on (`bench/consistency.py`, in place of MEt3R) and, with --clip DIR, CLIP-T and CLIP-F of the second view.
Options that aren't known here go to `gen`: --weights, --model, --steps, --eyes, --depth and so on.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from bench import consistency

COLUMNS = ("dissolve", "downsample", "residual", "vertical_px", "matched", "clip_t", "clip_f", "seconds")


def numbers(text: str) -> list[int]:
    """ "0,20,40" as a list without repetitions. Raises ArgumentTypeError."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give whole numbers with commas, such as 0,20,40") from None
    return list(dict.fromkeys(found))


def generate(image: str, prompt: str, output: Path, dissolve: int, downsample: int, rest: list[str]) -> None:
    """One clip, by the command line as a user would. Raises RuntimeError with the command's last line."""
    command = [sys.executable, "-m", "stereocast", "gen", image, "-o", str(output), "--prompt", prompt]
    command += ["--dissolve", str(dissolve), "--depth-downsample", str(downsample), "--format", "sbs"]
    done = subprocess.run([*command, "--overwrite", "--quiet", *rest], capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(lines[-1])


def measured(path: Path, prompt: str, clip: Any, view: str, every: int) -> dict[str, float | None]:
    """All figures of a full side-by-side film."""
    row: dict[str, float | None] = {**consistency.film(str(path), every)}
    if clip is not None:
        from bench import clip as figures

        row |= figures.film(clip, path, prompt, view)
    return row


def sweep(
    settings: list[tuple[int, int]],
    make: Callable[[int, int], Path],
    measure: Callable[[Path], dict[str, float | None]],
) -> list[dict[str, Any]]:
    """A row for each (dissolve, downsample); a run that fails has `error` in place of figures."""
    rows = []
    for dissolve, downsample in settings:
        row: dict[str, Any] = {"dissolve": dissolve, "downsample": downsample}
        begun = time.monotonic()
        try:
            path = make(dissolve, downsample)
            row["seconds"] = round(time.monotonic() - begun, 1)
            row |= measure(path)
        except RuntimeError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table, of the columns that anything was measured for."""
    names = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [
            "-" if row.get(n) is None else f"{row[n]:.4g}" if isinstance(row[n], float) else str(row[n]) for n in names
        ]
        lines.append("| " + " | ".join(cells) + " |" + (f" {row['error']}" if "error" in row else ""))
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """A table, or JSON; 1 where a run failed."""
    parser = argparse.ArgumentParser(prog="python -m bench sweep", description=__doc__, allow_abbrev=False)
    parser.add_argument("image")
    parser.add_argument("--prompt", default="")
    parser.add_argument("--dissolve", type=numbers, default=[0], metavar="N,N,...")
    parser.add_argument("--downsample", type=numbers, default=[1], metavar="N,N,...")
    parser.add_argument("--clip", metavar="DIR", help="a CLIP in transformers' layout")
    parser.add_argument("--view", choices=("left", "right", "whole"), default="right", help="what CLIP looks at")
    parser.add_argument("--every", type=int, default=1, help="measure agreement on every n-th frame")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the films there")
    parser.add_argument("--json", action="store_true")
    options, rest = parser.parse_known_args(argv)
    clip = None
    if options.clip:
        from bench.clip import Clip

        clip = Clip(options.clip)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)

        def make(dissolve: int, downsample: int) -> Path:
            path = folder / f"dissolve{dissolve}_down{downsample}.mkv"
            print(f"{path.stem} ...", file=sys.stderr)
            generate(options.image, options.prompt, path, dissolve, downsample, rest)
            return path

        rows = sweep(
            list(product(options.dissolve, options.downsample)),
            make,
            lambda path: measured(path, options.prompt, clip, options.view, options.every),
        )
    print(json.dumps(rows) if options.json else table(rows))
    return int(any("error" in row for row in rows))
