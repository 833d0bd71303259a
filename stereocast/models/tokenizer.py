"""CLIP's byte-pair tokenizer. Its merges table (MIT licence, see data/NOTICE) is a data file of the package."""

import gzip
import html
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np

from stereocast.errors import ExtraMissing
from stereocast.types import Array

START, END, PAD, LENGTH = 49406, 49407, 0, 77
_MERGES = 49152 - 256 - 2
_CONTRACTIONS = ("s", "t", "re", "ve", "m", "ll", "d")
_SPECIAL = ("<start_of_text>", "<end_of_text>")


@lru_cache(maxsize=1)
def _byte_letters() -> dict[int, str]:
    """A printable letter for each byte: itself where it has one, else a letter from 256 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in own]
    return {b: chr(b) for b in own} | {b: chr(256 + n) for n, b in enumerate(others)}


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    packed = resources.files("stereocast.models").joinpath("data/clip_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = list(_byte_letters().values())
    words = letters + [letter + "</w>" for letter in letters] + [a + b for a, b in merges] + list(_SPECIAL)
    return {pair: n for n, pair in enumerate(merges)}, {word: n for n, word in enumerate(words)}


def clean(text: str) -> str:
    """Mended (ftfy), unescaped twice, white space collapsed, lower case. Raises ExtraMissing."""
    try:
        import ftfy
    except ImportError as error:
        raise ExtraMissing("a prompt", "diffusion") from error
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).strip().lower()


def _pieces(text: str) -> list[str]:
    """Words, single digits, runs of anything else; contractions stand alone. White space only separates."""
    found, at = [], 0
    while at < len(text):
        special = next((word for word in _SPECIAL if text.startswith(word, at)), None)
        tail = next((t for t in _CONTRACTIONS if text.startswith("'" + t, at)), None)
        if special or tail:
            end = at + len(special or "'" + str(tail))
        elif text[at].isspace():
            at += 1
            continue
        elif _numeric(text[at]):
            end = at + 1
        else:
            end = at + 1
            letters = _letter(text[at])
            while end < len(text) and _continues(text, end, letters):
                end += 1
        found.append(text[at:end])
        at = end
    return found


def _letter(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character).startswith("L")


def _numeric(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character).startswith("N")


def _continues(text: str, at: int, letters: bool) -> bool:
    if letters:
        return _letter(text[at])
    return not (text[at].isspace() or _letter(text[at]) or _numeric(text[at]))


@lru_cache(maxsize=10_000)
def _encoded(piece: str) -> tuple[int, ...]:
    ranks, vocabulary = _tables()
    if piece in _SPECIAL:
        return (vocabulary[piece],)
    letters = [_byte_letters()[b] for b in piece.encode("utf-8")]
    parts = [*letters[:-1], letters[-1] + "</w>"]
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        best = min(pairs, key=lambda pair: ranks.get(pair, _MERGES))
        if best not in ranks:
            break
        merged, at = [], 0
        while at < len(parts):
            if at + 1 < len(parts) and (parts[at], parts[at + 1]) == best:
                merged.append(parts[at] + parts[at + 1])
                at += 2
            else:
                merged.append(parts[at])
                at += 1
        parts = merged
    return tuple(vocabulary[part] for part in parts)


def tokens(prompts: list[str], length: int = LENGTH) -> Array:
    """Token ids int64 [B, length]: start, words, end, zeros; too long is cut and ends with the end token."""
    out = np.full((len(prompts), length), PAD, np.int64)
    for row, prompt in zip(out, prompts, strict=True):
        ids = [START, *(n for piece in _pieces(clean(prompt)) for n in _encoded(piece)), END]
        if len(ids) > length:
            ids = [*ids[: length - 1], END]
        row[: len(ids)] = ids
    return out
