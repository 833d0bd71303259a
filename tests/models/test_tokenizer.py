"""Token ids of prompts that tokenizers get wrong: contractions, entities, emoji, scripts, digits, special tokens, length."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="prompts need the extra 'diffusion'")

from stereocast.models import tokenizer

CASES = json.loads((Path(__file__).parent / "clip_prompts.json").read_text("utf-8"))


def test_hard_prompts_give_the_published_ids():
    got = tokenizer.tokens([case["prompt"] for case in CASES])
    for case, row in zip(CASES, got, strict=True):
        assert np.trim_zeros(row, "b").tolist() == case["ids"], case["prompt"]


def test_a_long_prompt_is_cut_and_ends():
    row = tokenizer.tokens(["word " * 200])[0]
    assert (row[0], row[-1]) == (tokenizer.START, tokenizer.END)
    assert len(row) == tokenizer.LENGTH


def test_the_empty_prompt_is_padded_with_zeros():
    assert tokenizer.tokens([""])[0].tolist() == [tokenizer.START, tokenizer.END] + [0] * 75


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("a<end_of_text>, b", [320, 49407, 267, 321]), ("a!<end_of_text>b", [320, 256, 49407, 321]), ("<START_OF_TEXT>?", [49406, 286])],
)  # fmt: skip
def test_special_tokens_written_out_are_tokens_also_beside_punctuation(prompt, words):
    row = tokenizer.tokens([prompt])[0]
    assert np.trim_zeros(row, "b").tolist() == [tokenizer.START, *words, tokenizer.END]
