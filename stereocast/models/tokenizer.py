"""Prompts to token ids: transformers' CLIP tokenizer on the merges table that the package carries (MIT, see data/NOTICE).

`<start_of_text>` and `<end_of_text>` written out in a prompt are those tokens anywhere in it. OpenCLIP's own
tokenizer does the same, except straight after punctuation ("!<end_of_text>"), where it spells them out as text.
That is a quirk of its pattern; prompts don't hold these words, and one rule is easier to rely on.
"""

import gzip
import html
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from stereocast.errors import ExtraMissing
from stereocast.types import Array

START, END, PAD, LENGTH = 49406, 49407, 0, 77
_MERGES = 49152 - 256 - 2
_SPECIAL = ("<start_of_text>", "<end_of_text>")


def _byte_letters() -> list[str]:
    """A printable letter for each byte, in the vocabulary's order: bytes that have one, then the others from 256 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in own] + [chr(256 + n) for n in range(256 - len(own))]


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    try:
        from transformers import CLIPTokenizer
    except ImportError as error:
        raise ExtraMissing("a prompt", "diffusion") from error
    packed = resources.files("stereocast.models").joinpath("data/clip_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : _MERGES + 1]
    merges: Any = [(first, second) for first, second in (line.split() for line in lines)]
    letters = _byte_letters()
    words = letters + [letter + "</w>" for letter in letters] + [a + b for a, b in merges] + list(_SPECIAL)
    start, end = _SPECIAL
    return CLIPTokenizer(
        vocab={word: n for n, word in enumerate(words)}, merges=merges,
        bos_token=start, eos_token=end, unk_token=end, pad_token=end,
    )  # fmt: skip


def clean(text: str) -> str:
    """Mended (ftfy), unescaped twice, white space collapsed, lower case. Raises ExtraMissing."""
    try:
        import ftfy
    except ImportError as error:
        raise ExtraMissing("a prompt", "diffusion") from error
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).strip().lower()


def tokens(prompts: list[str], length: int = LENGTH) -> Array:
    """Token ids int64 [B, length]: start, words, end, zeros, as OpenCLIP pads; too long is cut and ends with the end
    token. Raises ExtraMissing."""
    out = np.full((len(prompts), length), PAD, np.int64)
    for row, prompt in zip(out, prompts, strict=True):
        ids = _tokenizer()(clean(prompt), truncation=True, max_length=length)["input_ids"]
        row[: len(ids)] = ids
    return out
