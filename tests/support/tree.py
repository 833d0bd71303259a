"""The files of the project, without environments, builds and results in its folder."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("stereocast", "encoders", "presets", "tests", "samples", "bench", "docs", "training", "scripts")


def files(root: Path = ROOT) -> list[Path]:
    """What git tracks below `root`; in an unpacked source distribution its own folders and the files at the top."""
    if (root / ".git").exists() and shutil.which("git"):
        asked = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
        if asked.returncode == 0:  # git refuses a folder of somebody else's
            return sorted(
                path for path in map(root.__truediv__, filter(None, asked.stdout.split("\0"))) if path.is_file()
            )
    found = [path for folder in FOLDERS for path in (root / folder).rglob("*") if "__pycache__" not in path.parts]
    return sorted(path for path in [*root.glob("[!.]*"), *found] if path.is_file())


def modules() -> list[Path]:
    """The package's own Python files."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / "stereocast")]


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All nodes of a Python file's syntax tree, parsed once."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))
