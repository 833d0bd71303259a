"""How tests relate to each other and to their folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.tree import ROOT

TESTS = [path for path in tree.files() if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")]


def imported(path: Path) -> list[str]:
    """Every module that a file imports, and every name that it takes from one, dotted."""
    names = []
    for node in tree.nodes(path):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return names


def test_no_test_imports_another() -> None:
    """Code shared by two of them is in tests/support, or beside them in a separate module."""
    found = [
        f"{path.relative_to(ROOT).as_posix()} imports {name}"
        for path in TESTS
        for name in imported(path)
        if name.startswith(("tests.", ".", "test_")) and any(part.startswith("test_") for part in name.split(".")[:-1])
    ]
    assert len(TESTS) > 100
    assert found == []


def test_fixtures_and_helpers_of_that_kind_are_seen(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def f():\n    from tests.media.test_a import b\n")
    assert imported(tmp_path / "x.py") == ["tests.media.test_a.b"]


@pytest.mark.parametrize("kind", ["git", "sdist"])
def test_what_else_lies_in_the_folder_is_not_walked(kind: str, tmp_path: Path) -> None:
    for name in ("README.md", "stereocast/a.py", ".venv-test/lib/b.py", "build/c.py", "stereocast/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    if kind == "git":
        if shutil.which("git") is None:
            pytest.skip("no git on the PATH")
        subprocess.run(["git", "-C", tmp_path, "init", "-q"], check=True)
        subprocess.run(["git", "-C", tmp_path, "add", "README.md", "stereocast/a.py"], check=True)
    assert [path.relative_to(tmp_path).as_posix() for path in tree.files(tmp_path)] == ["README.md", "stereocast/a.py"]


def test_a_source_distribution_holds_what_is_walked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert set(tree.FOLDERS) <= set(carried)
    assert {path.name for path in tree.files() if path.parent == ROOT and path.name[0] != "."} <= {
        *carried,
        "pyproject.toml",
        "PKG-INFO",  # in a distribution
    }


def test_golden_files_are_written_by_one_process() -> None:
    pytest.importorskip("xdist", reason="needs pytest-xdist (dev)")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--update-golden", "tests/house/test_words.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR, run.stdout + run.stderr
    assert "--update-golden is for one process" in run.stdout + run.stderr


def test_archives_are_closed() -> None:
    """`np.load` of an .npz keeps its file open, and the warning of that fails whichever test runs then."""
    for path in TESTS:
        text = path.read_text("utf-8")
        assert path.name == "test_tree.py" or not re.search(r"(?<!with )np\.load\(", text), path


def test_nothing_of_one_system_is_taken_for_granted() -> None:
    """CI runs the core suite on Linux, macOS and Windows."""
    for path in TESTS:
        tops = [name for name in top_imports(path) if name in ("resource", "fcntl", "pwd", "grp", "termios", "pty")]
        assert not tops, path


def top_imports(path: Path) -> list[str]:
    """Modules that are imported as soon as the file is."""
    nodes = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.Import)]
    return [alias.name for node in nodes for alias in node.names]
