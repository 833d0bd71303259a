"""The glossary of docs/architecture.md: each class stands for one thing, and no word that was given up comes back."""

import ast
import re
from collections import Counter
from functools import cache

from tests.support import tree
from tests.support.tree import ROOT

SOURCES = tree.modules()
GLOSSARY = (ROOT / "docs/architecture.md").read_text("utf-8").split("## Glossary")[1].split("\n## ")[0]


@cache
def classes() -> Counter[str]:
    return Counter(
        node.name
        for path in SOURCES
        for node in tree.nodes(path)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def test_every_word_has_its_class() -> None:
    there = classes()
    named = re.findall(r"`(\w+)`", "\n".join(line for line in GLOSSARY.splitlines() if line.startswith("|")))
    assert len(named) >= 14
    for name in named:
        assert there[name] == 1, f"{name}: {there[name]} classes of that name"


def test_a_name_of_the_glossary_is_used_once_only() -> None:
    there = classes()
    for name in ("Shot", "Job", "Run", "Memory", "Progress", "Chunk", "Plan", "Clip", "Steps", "Segment", "Sections"):
        assert there[name] <= 1, name
    assert not {"Memory", "Steps", "Segment", "Sections", "Segmenter", "Windows"} & set(there)


def test_a_segment_is_what_hls_and_matroska_call_so() -> None:
    own = {
        "media/writer.py",
        "media/hls.py",
        "jobs/written.py",
        "jobs/convert/chunks.py",
        "media/ebml.py",
        "serve/live.py",
        "serve/session.py",
        "media/soundtrack.py",
        "media/joined.py",
        "serve/app.py",
        "cli/serve.py",
    }
    for path in SOURCES:
        if path.relative_to(ROOT / "stereocast").as_posix() not in own:
            assert not re.search(r"segment", path.read_text("utf-8"), re.IGNORECASE), path


def test_callbacks_have_one_name_and_one_kind() -> None:
    for path in SOURCES:
        for node in tree.nodes(path):
            if isinstance(node, ast.arg) and node.arg == "progress" and node.annotation is not None:
                kind = ast.unparse(node.annotation)
                assert kind in ("OnProgress", "Progress") or path.name == "weights.py", (path, kind)


def test_memory_is_never_a_module() -> None:
    assert not [path for path in SOURCES if path.stem in ("memory", "utils", "helpers", "common", "manager")]
