"""The README says what the code does."""

import importlib.util
import re

from stereocast.cli import COMMANDS
from tests.support import tree
from tests.support.tree import ROOT

FILES = tree.files()
README = (ROOT / "README.md").read_text("utf-8")


def test_tables_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs/make_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.fill(README) == README, "run: python docs/make_tables.py"


def test_every_command_is_named() -> None:
    for name in COMMANDS:
        assert f"`stereocast {name}" in README, name


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(path for path in FILES if path.match("docs/*.md"))]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_repository_names_no_machine() -> None:
    shown = [path for path in FILES if path.suffix in (".py", ".md", ".toml", ".yml") or path.parent.name == "scripts"]
    assert len(shown) > 400
    for path in shown:
        text = path.read_text("utf-8", errors="replace")
        assert not re.search(r"(^|[^a-z.\w])/(work|root)/", text), path


def test_the_suite_is_run_in_one_way_everywhere() -> None:
    """README's command is that of CONTRIBUTING, of the script, of CI, and of the source distribution's own run."""
    found = re.findall(r"pytest -n \d.*(?=\n```)", README)
    assert len(found) == 1
    for name in ("CONTRIBUTING.md", "scripts/check", ".ci/run", ".github/workflows/ci.yml"):
        path = ROOT / name
        if name[0] != "." or path.exists():  # a source distribution carries no CI
            assert found[0] in path.read_text("utf-8"), name
