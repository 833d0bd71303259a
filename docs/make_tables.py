"""Writes the tables of README.md between their markers, from the shelves and the registry.

    python docs/make_tables.py

A test holds that the README says what the code does.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stereocast import catalog, registry  # noqa: E402


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def presets() -> str:
    """One row per preset: what it is, its layout, codecs in order, limits."""
    rows = []
    for name in catalog.names("presets"):
        preset = catalog.preset(name)
        limits = ", ".join(f"{k} {v.max_width}x{v.max_height}" for k, v in preset.limits.items())
        layout = preset.format.value if preset.format else "sbs"
        rows.append([f"`{name}`", preset.title, f"`{layout}`", limits])
    return _table(["preset", "for", "layout", "decodes up to"], rows)


def encoders() -> str:
    """One row per encoder profile."""
    rows = []
    for name in catalog.names("encoders"):
        profile = catalog.encoder(name)
        rows.append(
            [f"`{name}`", profile.about, profile.codec, "system ffmpeg" if profile.via == "ffmpeg" else "bundled"]
        )
    return _table(["profile", "what", "encoder", "runs in"], rows)


def estimators() -> str:
    """One row per depth estimator."""
    rows = [
        [f"`{name}`", backend.about, f"`{backend.extra}`" if backend.extra else "-"]
        for name, backend in registry.DEPTH.items()
    ]
    return _table(["`--depth`", "what", "extra"], rows)


TABLES = {"presets": presets, "encoders": encoders, "estimators": estimators}


def fill(text: str) -> str:
    """`text` with every marked table regenerated."""
    for name, make in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda found, make=make: found[1] + make() + found[2], text, flags=re.S)
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text("utf-8")), "utf-8")
