"""Damaged films end in a file or in one clear line: no crash, no hang, no leak, and the source stays as it was.

`pytest -m slow tests/faults/test_fuzz.py` runs 2,000 cases; STEREOCAST_FUZZ=N sets another number.
"""

import collections
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.faults import mutate
from tests.faults.crowd import Worker

FLAGS = {"encoder": "x264", "overwrite": True}


def wrong(answer: dict[str, Any], output: Path, temporary: Path) -> str:
    """What is wrong with how a case ended; '' if nothing is."""
    if answer["ended"] not in ("done", "refused"):
        return f"{answer['ended']}: {answer['message']}"
    if answer["threads"] > 0 or answer["files"] > 0:
        return f"leaks {answer['threads']} threads, {answer['files']} open files"
    if any(temporary.iterdir()):
        return f"left {[path.name for path in temporary.iterdir()]} in the temporary folder"
    if answer["ended"] == "refused":
        message = answer["message"]
        return "" if message and "\n" not in message and not output.exists() else f"message {message!r}"
    left = sorted(path.name for path in output.parent.iterdir())
    if left != [output.name]:
        return f"left {left}"
    with av.open(str(output)) as box:
        frames = sum(1 for packet in box.demux(video=0) if packet.size)  # a player leaves out times before 0
    return "" if frames == answer["frames"] else f"{frames} frames in the file, {answer['frames']} said"


def fuzz(folder: Path, numbers: Iterable[int], *, real: bool = False) -> tuple[collections.Counter[str], list[str]]:
    paths = mutate.seeds(folder / "seeds")
    originals = [path.read_bytes() for path in paths]
    worker = Worker(folder / "tmp", real=real)
    counts: collections.Counter[str] = collections.Counter()
    failures = []
    try:
        for number in numbers:
            which, data = mutate.mutant(originals, number)
            source = folder / f"case{paths[which].suffix}"
            source.write_bytes(data)
            output = folder / "out" / "film.mp4"
            output.parent.mkdir(exist_ok=True)
            answer = worker.run(source, output, **FLAGS)
            counts[answer["ended"]] += 1
            complaint = wrong(answer, output, folder / "tmp")
            if source.read_bytes() != data:
                complaint += " the source was changed"
            if complaint:
                failures.append(f"case {number} ({paths[which].name}): {complaint}")
            for path in (*output.parent.iterdir(), *(folder / "tmp").iterdir(), source):
                path.unlink()
    finally:
        worker.close()
    return counts, failures


def test_a_hundred_damaged_films(tmp_path: Path) -> None:
    counts, failures = fuzz(tmp_path, [*range(98), 6328, 20064])  # the last two once failed
    assert not failures, "\n".join(failures)
    assert counts["done"] > 20
    assert counts["refused"] > 5


@pytest.mark.slow
def test_thousands_of_damaged_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = int(os.environ.get("STEREOCAST_FUZZ_FIRST", "1000"))
    counts, failures = fuzz(tmp_path, range(first, first + int(os.environ.get("STEREOCAST_FUZZ", "2000"))))
    with capsys.disabled():
        print(f"\nfuzz: {dict(counts)}")
    assert not failures, "\n".join(failures)
