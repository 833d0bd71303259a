"""A film being generated: pairs of pictures and their properties."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from stereocast.types import Array

MODEL_RATE = 8  # frames a second of a generative model


@dataclass(frozen=True, slots=True)
class Film:
    """Pairs of pictures, RGB in 0..1, and their properties."""

    model: str
    height: int
    width: int
    frames: int
    rate: Fraction
    pairs: Iterator[tuple[Array, Array]]
    notes: tuple[str, ...] = ()
