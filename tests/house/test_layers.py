"""Imports go down only, and the optional rooms stay unimported."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.tree import ROOT

PACKAGE = ROOT / "stereocast"
LEVELS = [  # lower may not import higher
    {"errors", "types"},
    {"settings", "catalog", "registry", "pictures", "pipeline"},
    {"media", "shots", "depth", "stereo", "kernels", "diffusion", "models", "gen", "splat", "pack"},
    {"jobs"},
    {"api"},
    {"serve"},
    {"studio"},
    {"cli", "__init__", "__main__"},
]
SHARED_ROOMS = {"models", "diffusion", "kernels"}
USERS_OF_SHARED = {"depth", "stereo", "pack", "gen", "splat", "diffusion", "models"}
ONLY_USER = {"av": "media", "typer": "cli", "rich": "cli", "gsplat": "splat", "ray": "jobs"}


def level(name: str) -> int:
    for number, names in enumerate(LEVELS):
        if name in names:
            return number
    raise AssertionError(f"stereocast/{name} is in no level: say in docs/architecture.md where it stands, and here")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    names = []
    for node in tree.nodes(path):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


MODULES = tree.modules()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_down_only(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        top, *rest = name.split(".")
        if top in ONLY_USER:
            assert here == ONLY_USER[top], f"only {ONLY_USER[top]}/ may import {top}"
        if top != "stereocast" or not rest:
            continue
        there = rest[0]
        if there == "__version__" or there == here:
            continue
        assert level(there) <= level(here), f"{here} may not import {there}"
        if level(there) == level(here) == 2:
            assert there in SHARED_ROOMS and here in USERS_OF_SHARED, f"room {here} may not import room {there}"


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def arrows() -> dict[str, set[str]]:
    """Who imports whom, inside functions too; imports for type checkers alone don't count."""
    known = {dotted(path): path for path in MODULES}
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        for_types = {
            id(inner)
            for node in tree.nodes(path)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        found[name] = set()
        for node in tree.nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                found[name] |= {full if full in known else node.module for full in names} & set(known)
        found[name] -= {name, "stereocast"}
    return found


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """One circle of imports, or nothing."""
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        for below in sorted(arrows.get(name, ())):
            if found := walk(below, [*above, name]):
                return found
        done.add(name)
        return []

    return next((found for name in arrows if (found := walk(name, []))), [])


def test_no_circle_anywhere() -> None:
    assert circle(arrows()) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_the_top_is_short() -> None:
    top = {path.stem for path in MODULES if path.parent == PACKAGE}
    assert top == {"__init__", "__main__", "errors", "types", "catalog", "registry"}


def loaded_after(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in run.stdout.split()}


def test_import_is_light() -> None:
    assert not loaded_after("import stereocast") & {"torch", "av", "numpy", "cv2", "numba", "pydantic", "typer"}


def test_help_is_light() -> None:
    code = "from typer.testing import CliRunner; from stereocast.cli import build; assert CliRunner().invoke(build(''), ['--help']).exit_code == 0"
    assert not loaded_after(code) & {"torch", "av", "numpy", "cv2", "numba", "transformers", "diffusers"}


def test_no_module_has_two_names_of_shelves() -> None:
    assert not (PACKAGE / "encoders").exists()
    assert not (PACKAGE / "presets").exists()


def test_arrays_come_back_from_a_device_in_one_place() -> None:
    for path in MODULES:
        if path != PACKAGE / "pictures/devices.py":
            assert ".cpu().numpy()" not in path.read_text("utf-8"), f"{path}: use devices.to_host"


def test_one_place_moves_arrays_between_host_and_device() -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).as_posix() != "pictures/devices.py":
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                there = re.search(r"from_numpy\(.*\)\.to\((?!torch\.)|from_numpy\(.*\)\.cuda\(", line)
                back = re.search(r"\.cpu\(\)(\.contiguous\(\))?\.numpy\(", line)
                assert not there and not back, f"{path.name}:{number}: use to_device and to_host of pictures.devices"
