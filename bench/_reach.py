"""Which tests reach which line: a run of the tests under coverage, each in a context of its own.

Used by `python -m bench mutants` for rooms whose tests aren't listed by hand. As a pytest plugin (`-p bench._reach`) it names
the contexts: a test's own name while it runs, its file's while fixtures are made, since those serve the file's other tests.
Programs that a test starts are measured too, under the name of the test.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

_CONFIGURATION = """\
[run]
source = stereocast
context = ${REACH_CONTEXT-}
parallel = true
data_file = {place}/reach
disable_warnings = module-not-imported, no-data-collected, couldnt-parse, module-not-measured
"""
_TIMES, _RCFILE = "REACH_TIMES", "REACH_RCFILE"
_now = time.monotonic  # a test may put a clock of its own in its place


@dataclass(frozen=True)
class Reach:
    """`lines[file][line]` are names of tests and files of tests, `seconds` what each test took."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests(self, file: str, line: int, most_s: float, others: Iterable[tuple[str, int]] = ()) -> list[str]:
        """Those that reach a line, or one of `others` (file, line), the quickest first, `most_s` in all and one at
        least. Where none does, those that reach most of the file for their time."""
        known = self.lines.get(file, {})
        names = {name for at, n in ((file, line), *others) for name in self.lines.get(at, {}).get(n, ())}
        if names:
            cost = {name: self.seconds[name] for name in names if name in self.seconds}
            inside = [test for test in self.seconds if test not in cost and test.split("::")[0] in names]
            ordered = sorted(cost, key=lambda name: (cost[name], name))
            ordered += sorted(inside, key=lambda name: (self.seconds[name], name))
        else:
            reached: dict[str, int] = {}
            for found in known.values():
                for name in found:
                    reached[name] = reached.get(name, 0) + 1
            worth = {name: (self.seconds[name] + 0.05) / n for name, n in reached.items() if name in self.seconds}
            ordered = sorted(worth, key=lambda name: (worth[name], name))
        taken, total = [], 0.0
        for name in ordered:
            if taken and total + self.seconds[name] > most_s:
                break
            taken.append(name)
            total += self.seconds[name]
        return taken


def measure(tree: Path, tests: list[str], environment: dict[str, str], place: Path) -> Reach:
    """Runs `tests` of the copy `tree`; `place` is an empty folder for what is measured."""
    configuration, times = place / "coveragerc", place / "times"
    configuration.write_text(_CONFIGURATION.replace("{place}", str(place)))
    environment = {**environment, _TIMES: str(times), _RCFILE: str(configuration)}
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={configuration}", "-m", "pytest", "-q"]
    command += ["-p", "bench._reach", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the tests don't pass as they are:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    data = coverage.CoverageData(str(place / "reach"))
    for part in sorted(place.glob("reach.*")):
        one = coverage.CoverageData(str(part))
        one.read()
        data.update(one)
    lines: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        if Path(file).is_relative_to(tree):
            found = data.contexts_by_lineno(file)
            lines[Path(file).relative_to(tree).as_posix()] = {
                line: sorted({name for context in names for name in context.split("|") if name})
                for line, names in found.items()
            }
    return Reach(lines, dict(json.loads(row) for row in times.read_text().splitlines()))


def _named(name: str) -> None:
    os.environ["REACH_CONTEXT"] = name  # for programs that the test starts: coverage begins in them by itself
    os.environ["COVERAGE_PROCESS_START"] = os.environ[_RCFILE]
    running = coverage.Coverage.current()
    if running is not None:
        running.switch_context(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    _named(item.nodeid.split("::")[0])
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    _named(item.nodeid)
    begin = _now()
    try:
        return (yield)
    finally:
        with open(os.environ[_TIMES], "a", encoding="utf-8") as out:
            out.write(json.dumps([item.nodeid, round(_now() - begin, 3)]) + "\n")
        _named("")
