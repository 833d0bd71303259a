"""The docs: links lead somewhere, pages are linked, files are short."""

import re
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.tree import ROOT

FILES = tree.files()
PAGES = [path for path in FILES if path.suffix == ".md" and ".github" not in path.parts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
            if page.parent == ROOT / "docs":  # the site holds nothing else
                assert (page.parent / target).resolve().is_relative_to(page.parent), f"{target}: use an https address"


def test_every_page_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for page in (path for path in PAGES if path.parent == ROOT / "docs"):
        assert f"(docs/{page.name})" in text, page.name


def test_no_file_is_long() -> None:
    """A file of more than 400 lines says at its top why it is one."""
    for path in tree.modules():
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= 400 or any("long because" in line for line in lines[:20]), (
            f"{path.name}: {len(lines)} lines"
        )
