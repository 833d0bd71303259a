"""What stands beside the program keeps up with it: every name that bench and docs import is there."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from tests.support import tree

ROOMS = [tree.ROOT / room for room in ("bench", "docs")]
FILES = [path for path in tree.files() if path.suffix == ".py" and any(map(path.is_relative_to, ROOMS))]


def imported(path: Path) -> set[tuple[str, str]]:
    """(module, name) of everything a file imports from the program or from bench, at any depth."""
    found = set()
    for node in tree.nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("stereocast", "bench"):
            found |= {(node.module, alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_imported_name_exists(path: Path) -> None:
    for module, name in sorted(imported(path)):
        try:
            there = import_module(module)
        except ImportError as error:
            assert not str(error.name).startswith("stereocast"), error
            continue  # a package of an extra
        if not hasattr(there, name):
            try:
                import_module(f"{module}.{name}")
            except ModuleNotFoundError as error:
                assert error.name != f"{module}.{name}", f"{path.name}: {module} has no {name}"
