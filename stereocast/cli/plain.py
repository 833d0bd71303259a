"""Text for a terminal: control characters in tags and names are shown, never obeyed, and never break a line or an encoding."""

import sys
import unicodedata
from typing import Any, TextIO


def plain(text: object) -> str:
    """`text` with every control and direction character spelled out: an escape sequence arrives as \\x1b[..."""
    return "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character == "\u200d"
        else _spelled(character)
        for character in str(text)
    )


def _spelled(character: str) -> str:
    code = ord(character)
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )


def say(*parts: object, file: TextIO | None = None) -> None:
    """Prints one line of plain text (on standard output, or `file`)."""
    print(*map(plain, parts), file=file if file is not None else sys.stdout)


def set_up_streams() -> None:
    """Names that the terminal's encoding lacks are spelled out instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
