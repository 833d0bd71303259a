"""One section of a film: the task of a worker, its work, and its result. Runs in any process.

`python -m stereocast.jobs.convert.engines.section` reads tasks as lines of JSON from standard input and writes a line
of JSON for each to standard output. It ends with its standard input.
"""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any, NoReturn

from stereocast import errors
from stereocast.errors import StereocastError
from stereocast.jobs.comfort import Comfort, ShotFigures
from stereocast.jobs.convert import resume, whole
from stereocast.jobs.convert.chunks import Chunk
from stereocast.jobs.convert.prepare import prepare
from stereocast.pictures.pages import keep_pages
from stereocast.settings import ConvertSettings
from stereocast.types import Shot


@dataclass(frozen=True, slots=True)
class Task:
    """Frames from the beginning of a shot to just before the tick `stop` (None: the end), into a separate file."""

    source: str
    settings: dict[str, Any]
    shot: Shot
    stop: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Result:
    """The chunks of a task, and its measurements."""

    chunks: tuple[Chunk, ...]
    damaged: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    comfort: Comfort | None = None

    @property
    def frames(self) -> int:
        return sum(chunk.frames for chunk in self.chunks)

    def table(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Result":
        """The result of plain values."""
        comfort = table["comfort"]
        return cls(
            tuple(Chunk(**{**s, "after": Shot(**s["after"]) if s["after"] else None}) for s in table["chunks"]),
            table["damaged"],
            table["seconds"],
            Comfort(comfort["fov_deg"], tuple(ShotFigures(**shot) for shot in comfort["shots"])) if comfort else None,
        )


def work(task: Task) -> Result:
    """Converts the section. Raises what `whole.convert` raises."""
    settings = ConvertSettings(**{**task.settings, "overwrite": True, "resume": False, "audio": "none", "subs": "none"})
    made, source = prepare(task.source, Path(task.output), settings)
    run = resume.section(made, source, task.shot, task.stop)
    done = whole.convert(made, source, run=run)
    chunker = run.chunkers[0]
    assert chunker is not None
    name = str(Path(task.output).relative_to(Path(task.output).parents[1]))
    chunks = tuple(Chunk(s.first, s.last, s.frames, s.after, name) for s in chunker.done)
    return Result(chunks, done.damaged, done.seconds, done.comfort)


def _read(tasks: "Queue[str]") -> None:
    """Takes in tasks while one is made. When standard input ends, so does the process: who began it is gone."""
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0 if tasks.unfinished_tasks == 0 else 1)


def answer(task: Task) -> dict[str, Any]:
    """The result of a task as plain values, or the film's error; defects come out as they are."""
    try:
        return {"result": work(task).table()}
    except StereocastError as error:
        return {"error": str(error), "kind": type(error).__name__}


def result_of(answer: dict[str, Any]) -> Result:
    """The result in an answer. Raises the error in it as the kind it was where the work was done."""
    if "error" in answer:
        kind = getattr(errors, answer.get("kind", ""), StereocastError)
        raise kind.__new__(kind, answer["error"])
    return Result.of(answer["result"])


def main() -> NoReturn:
    """A worker process: task after task, an answer each, until its standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who began us
    keep_pages()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what encoders print must not get between
    tasks: Queue[str] = Queue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    while True:
        table = json.loads(tasks.get())
        answers.write(json.dumps(answer(Task(**{**table, "shot": Shot(**table["shot"])}))) + "\n")
        answers.flush()
        tasks.task_done()


if __name__ == "__main__":
    main()
