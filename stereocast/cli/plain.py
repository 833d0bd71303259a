"""Safe text for a terminal: control characters from tags and names are escaped, and no encoding error ends the program."""

import sys
import unicodedata
from typing import Any, TextIO


def plain(text: object) -> str:
    """`text` with control and bidirectional characters escaped: an escape sequence is printed as \\x1b[..."""
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
    """Prints one line of plain text to standard output or `file`."""
    print(*map(plain, parts), file=file if file is not None else sys.stdout)


def set_up_streams() -> None:
    """Makes the output streams escape characters that the terminal's encoding lacks, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
