"""Which tests reach which line, as `bench mutants` measures it."""

import os
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="needs coverage (dev)")

from bench._reach import Reach, measure

FILE = "stereocast/sums.py"
SUMS = """\
def double(x):
    return 2 * x

def half(x):
    return x / 2

def third(x):
    return x / 3

def fourth(x):
    return x / 4
"""
TESTS = """\
import subprocess, sys
import pytest
from stereocast import sums

@pytest.fixture(scope="module")
def six():
    return sums.double(3)

def test_six(six):
    assert six == 6

def test_three(six):
    assert sums.half(six) == 3

def test_program():
    subprocess.run([sys.executable, "-c", "from stereocast import sums; sums.third(3)"], check=True)
"""


@pytest.fixture(scope="module")
def reach(tmp_path_factory: pytest.TempPathFactory) -> Reach:
    tree = tmp_path_factory.mktemp("tree")
    for name, text in ((FILE, SUMS), ("stereocast/__init__.py", ""), ("tests/test_sums.py", TESTS)):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(text)
    (tree / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return measure(
        tree, ["tests"], {**environment, "PYTHONPATH": f"{tree}{os.pathsep}{root}"}, tmp_path_factory.mktemp("place")
    )


def of(reach: Reach, line: int, most_s: float = 1000.0) -> set[str]:
    return {name.split("::")[1] for name in reach.tests(FILE, line, most_s)}


def test_a_line_is_known_to_the_tests_that_reach_it(reach: Reach) -> None:
    assert of(reach, 5) == {"test_three"}


def test_what_a_shared_fixture_reaches_is_for_all_tests_of_the_file(reach: Reach) -> None:
    assert {"test_six", "test_three"} <= of(reach, 2)


def test_programs_that_a_test_starts_count(reach: Reach) -> None:
    assert of(reach, 8) == {"test_program"}


def test_a_line_that_nobody_reaches_gets_those_of_its_file(reach: Reach) -> None:
    assert of(reach, 11) >= {"test_three", "test_program"}


def test_the_quickest_come_first_and_one_at_least() -> None:
    known = Reach({FILE: {1: ["a::slow", "a::quick", "a::middle"]}}, {"a::slow": 9, "a::quick": 1, "a::middle": 3})
    assert known.tests(FILE, 1, 100) == ["a::quick", "a::middle", "a::slow"]
    assert known.tests(FILE, 1, 5) == ["a::quick", "a::middle"]
    assert known.tests(FILE, 1, 0) == ["a::quick"]
    assert known.tests("stereocast/none.py", 1, 5) == []


def test_a_constant_is_reached_where_it_is_used() -> None:
    known = Reach({FILE: {1: [], 5: ["a::user"], 9: ["a::other"]}}, {"a::user": 1, "a::other": 1})
    assert known.tests(FILE, 1, 100, [(FILE, 5)]) == ["a::user"]


def test_readers_of_constants_fields_and_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cosmic_ray", reason="needs cosmic-ray")
    from bench import mutants

    (tmp_path / "stereocast").mkdir()
    lines = [
        "FEW = 3", "class Box:", "    deep = 2", "    def far(self,", "        by=1):", "        return by * self.deep",
        "def many():", "    FEW", "    few = FEW", "    return few", "FEW + 1", "    ",
    ]  # fmt: skip
    (tmp_path / FILE).write_text("\n".join(lines))
    (tmp_path / "stereocast/more.py").write_text("from stereocast.sums import FEW\ndef more():\n    return FEW\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    mutants._uses.cache_clear()
    try:
        assert mutants.readers(FILE, 1) == {(FILE, 8), (FILE, 9), ("stereocast/more.py", 3)}
        assert mutants.readers(FILE, 3) == {(FILE, 6)}
        assert mutants.readers(FILE, 5) == {(FILE, 6)}
        assert mutants.readers(FILE, 9) == mutants.readers(FILE, 11) == set()
    finally:
        mutants._uses.cache_clear()
