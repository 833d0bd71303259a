"""The server under load: a library of thousands of films, many viewers of one live film, hours of play, stop and seek.

    python -m bench serve --part library [--films 5000]
    python -m bench serve --part viewers [--viewers 50]
    python -m bench serve --part soak [--minutes 5]

It starts `stereocast serve` in a separate process with its own home folder, and sends requests as the page would.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.films import make_film

ROOT = Path(__file__).resolve().parents[1]


class Server:
    """A running server, and requests to it."""

    def __init__(self, home: Path, port: int, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._base = f"http://127.0.0.1:{port}"
        self._token = (home / "serve/token").read_text().split()[0]

    def ask(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(
            self._base + path, method=method, headers={"Cookie": f"stereocast_token={self._token}"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return bytes(answer.read())

    def said(self, path: str, method: str = "GET") -> Any:
        return json.loads(self.ask(path, method))

    def timed(self, path: str) -> tuple[float, Any]:
        begun = time.perf_counter()
        made = self.said(path)
        return time.perf_counter() - begun, made

    def cpu_s(self) -> float:
        """Processor time that it has taken, all threads together."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def threads(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/status").read_text().split("Threads:")[1].split()[0])

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextmanager
def serving(home: Path, *words: str, port: int = 18180) -> Iterator[Server]:
    env = {**os.environ, "STEREOCAST_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stereocast", "serve", *words, "--port", str(port)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        server = Server(home, port, process)
        deadline = time.monotonic() + 60
        while True:
            try:
                server.ask("/player/page.js")
                break
            except (ConnectionError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def library(folder: Path, count: int) -> dict[str, Any]:
    """Seconds until the first page of a library: never seen, seen in an earlier start, asked again."""
    films = folder / "films"
    one = make_film(folder / "one.mp4", frames=3, size=(48, 96))
    for n in range(count):
        target = films / f"shelf {n % 50}" / f"Film {n:05}_{'LR' if n % 2 else 'x'}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one, target)
    home, made = folder / "home", {}
    with serving(home, str(films)) as server:
        before = server.cpu_s()
        made["cold"], page = server.timed("/api/films")
        made["cold, CPU"] = server.cpu_s() - before
        assert page["total"] == count, page["total"]
        made["films known on that page"] = sum(film["known"] for film in page["films"])
        begun = time.perf_counter()
        while server.said("/api/films?size=1")["indexed"] < 1:
            time.sleep(0.5)
        made["all read after"] = time.perf_counter() - begun
        before = server.cpu_s()
        made["warm"] = statistics.median(server.timed("/api/films")[0] for _ in range(9))
        made["warm, CPU"] = (server.cpu_s() - before) / 9
        made["warm, searched"] = statistics.median(
            server.timed("/api/films?q=film+04999&sort=added")[0] for _ in range(9)
        )
        made["warm, one film"] = statistics.median(
            server.timed(f"/api/films/{page['films'][0]['id']}")[0] for _ in range(9)
        )
        made["the whole list at once"] = server.timed("/api/library")[0]
        shutil.copy(one, films / "new.mp4")
        begun = time.perf_counter()
        while server.said("/api/films?size=1")["total"] == count:
            time.sleep(0.05)
        made["a new film is listed after"] = time.perf_counter() - begun
    with serving(home, str(films)) as server:
        made["cold, after a restart"], page = server.timed("/api/films")
        assert all(film["known"] for film in page["films"])
    return {key: round(value, 3) for key, value in made.items()}


def viewers(folder: Path, count: int) -> dict[str, Any]:
    """Viewers of one film that is converted: all fetch every segment as it appears."""
    film = make_film(
        folder / "film.mp4", frames=24 * 12, size=(96, 192), audio=["aac"], options={"preset": "ultrafast", "g": "24"}
    )
    with serving(folder / "home", "--convert", str(film), "--encoder", "x264-fast") as server:
        (card,) = server.said("/api/films")["films"]
        path, answers, waits, runs = f"/live/{card['id']}", [], [], set()

        def watch(number: int) -> None:
            name, have, total = f"viewer-{number}", 0, 0
            server.said(f"{path}?t=0&viewer={name}", "POST")
            while True:
                begun = time.perf_counter()
                state = server.said(f"{path}?viewer={name}&at={2 * have}&since={have}")
                waits.append(time.perf_counter() - begun)
                runs.add(state["run"])
                for part in state["segments"]:
                    total += len(server.ask(f"{path}/{state['run']}/{part['name']}"))
                    have += 1
                if state["ended"] or state["error"]:
                    answers.append((have, total, state["error"]))
                    return
                time.sleep(1)

        before = server.memory_mb()
        begun = time.perf_counter()
        threads = [threading.Thread(target=watch, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waits.sort()
        return {
            "viewers": count, "sessions": len(runs), "all got the same": len(set(answers)) == 1, "each": answers[0],
            "seconds": round(time.perf_counter() - begun, 1), "state, median s": round(waits[len(waits) // 2], 3),
            "state, 99 % s": round(waits[int(len(waits) * 0.99)], 3),
            "memory before, after, MB": [round(before), round(server.memory_mb())],
        }  # fmt: skip


def soak(folder: Path, minutes: float) -> dict[str, Any]:
    """Play, stop and seek at random, of live, transcoded and plain films; memory, threads and files by time."""
    shelf = folder / "films"
    shelf.mkdir()
    options = {"preset": "ultrafast", "g": "24"}
    make_film(shelf / "plain_LR.mp4", frames=24 * 20, audio=["aac"], options=options)
    make_film(shelf / "dolby.mkv", frames=24 * 20, audio=["ac3"], options=options)
    live = make_film(folder / "live.mp4", frames=24 * 20, size=(96, 192), audio=["aac"], options=options)
    chance, rows, rounds = random.Random(1), [], 0
    with serving(folder / "home", str(shelf), "--convert", str(live), "--encoder", "x264-fast") as server:
        end = time.monotonic() + 60 * minutes
        due = time.monotonic()
        while time.monotonic() < end:
            if time.monotonic() >= due:
                folders = len(list(Path(tempfile.gettempdir()).glob("stereocast-live-*")))
                rows.append((round(server.memory_mb()), server.threads(), server.files(), folders))
                due += max(5.0, 60 * minutes / 20)
            rounds += 1
            for film in server.said("/api/films")["films"]:
                _play(server, film, chance)
    steady = rows[len(rows) // 3 :]
    return {
        "rounds": rounds, "memory MB, threads, open files, folders": rows,
        "memory grew MB, last two thirds": steady[-1][0] - steady[0][0],
    }  # fmt: skip


def _play(server: Server, film: dict[str, Any], chance: random.Random) -> None:
    ident = film["id"]
    server.ask(f"/poster/{ident}")
    sound = film["sound_tracks"] and film["sound_tracks"][0]["way"] == "session"
    if not (film["live"] or sound):
        server.ask(f"/film/{ident}")
        return
    more = "&sound=0" if sound else ""
    for _ in range(chance.randint(1, 4)):
        state = server.said(f"/live/{ident}?t={chance.uniform(0, 19):.2f}&viewer=soak{more}", "POST")
        time.sleep(chance.choice([0.05, 0.2, 1.5]))
        state = server.said(f"/live/{ident}?viewer=soak")
        for part in state["segments"][:2]:
            server.ask(f"/live/{ident}/{state['run']}/{part['name']}")
    if chance.random() < 0.9:  # the others go without a word
        server.ask(f"/live/{ident}/leave?viewer=soak", "POST")


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench serve")
    parser.add_argument("--part", choices=("library", "viewers", "soak"), required=True)
    parser.add_argument("--films", type=int, default=5000)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = {"library": (library, given.films), "viewers": (viewers, given.viewers), "soak": (soak, given.minutes)}
        part, size = run[given.part]
        print(json.dumps(part(folder, size), indent=2))  # type: ignore[operator]
