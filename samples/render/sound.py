"""The sound of the two films, from sines and noise: stereo float32 [2, N] at 48 kHz."""

from __future__ import annotations

import numpy as np

RATE = 48_000


def _smoothed(noise: np.ndarray, seconds: float) -> np.ndarray:
    """Noise through a moving average of this length: the longer, the darker."""
    kernel = np.hanning(max(3, int(seconds * RATE)))
    return np.convolve(noise, kernel / kernel.sum(), mode="same")


def _mixed(track: np.ndarray, piece: np.ndarray, start: float, pan: float, gain: float) -> None:
    """Adds `piece` at `start` seconds; pan -1 is left, 1 is right."""
    first = int(start * RATE)
    last = min(track.shape[1], first + len(piece))
    if 0 <= first < last:
        angle = (pan + 1) * np.pi / 4
        track[0, first:last] += gain * np.cos(angle) * piece[: last - first]
        track[1, first:last] += gain * np.sin(angle) * piece[: last - first]


def _levelled(track: np.ndarray) -> np.ndarray:
    fade = np.ones(track.shape[1])
    ramp = np.linspace(0, 1, int(0.05 * RATE))
    fade[: len(ramp)], fade[-len(ramp) :] = ramp, ramp[::-1]
    return (0.5 * track / np.abs(track).max() * fade).astype(np.float32)


def street(seconds: float, step_hz: float) -> np.ndarray:
    """Steps on paving, a car that goes by, birds, wind."""
    rng = np.random.default_rng(1)
    count = int(seconds * RATE)
    track = np.stack([_smoothed(rng.normal(size=count), 0.006) for _ in range(2)]) * 0.25
    for k in range(int(seconds * step_hz) + 1):
        t = np.arange(int(0.16 * RATE)) / RATE
        thud = np.sin(2 * np.pi * (95 - 140 * t) * t) * np.exp(-t * 55)
        scrape = _smoothed(rng.normal(size=len(t)), 0.0003) * np.exp(-t * 40) * rng.uniform(0.7, 1.1)
        _mixed(track, thud + 0.5 * scrape, k / step_hz, 0.15 * (-1) ** k, 0.55)
    t = np.arange(count) / RATE
    engine = (
        _smoothed(rng.normal(size=count), 0.0018)
        + 0.15 * np.sin(2 * np.pi * 74 * t)
        + 0.1 * np.sin(2 * np.pi * 111 * t)
    )
    near = np.exp(-(((t - seconds - 0.4) / 1.6) ** 2))
    track += engine * near * np.array([[1.0], [0.7]]) * 1.3
    for start, pitch, pan in (
        (0.5, 3100, 0.7),
        (0.72, 3500, 0.7),
        (1.7, 2700, -0.6),
        (1.86, 3300, -0.6),
        (2.02, 2900, -0.6),
        (3.1, 3800, 0.4),
    ):
        t = np.arange(int(0.13 * RATE)) / RATE
        chirp = np.sin(2 * np.pi * (pitch * t + 60 * np.sin(2 * np.pi * 13 * t))) * np.sin(np.pi * t / 0.13) ** 2
        _mixed(track, chirp, start, pan, 0.11)
    return _levelled(track)


def close(seconds: float, cut: float) -> np.ndarray:
    """A music box; from the cut on the clicks of small wheels with it."""
    rng = np.random.default_rng(2)
    track = np.zeros((2, int(seconds * RATE)))
    tune = [72, 76, 79, 84, 79, 76, 74, 77, 81, 86, 81, 77, 76, 79, 84, 88, 84, 79]
    for k, key in enumerate(tune):
        t = np.arange(int(1.4 * RATE)) / RATE
        pitch = 440 * 2 ** ((key - 69) / 12)
        tone = sum(
            a * np.sin(2 * np.pi * pitch * m * t) * np.exp(-t * d)
            for m, a, d in ((1, 1, 3.2), (2.76, 0.35, 7), (5.4, 0.15, 14))
        )
        _mixed(track, tone, 0.08 + k * 0.2, 0.5 * np.sin(k * 1.1), 0.2)
        if k % 6 == 0:
            _mixed(track, np.sin(2 * np.pi * pitch / 4 * t) * np.exp(-t * 2), 0.08 + k * 0.2, 0, 0.25)
    for k in range(int((seconds - cut) / 0.14)):
        t = np.arange(int(0.03 * RATE)) / RATE
        click = _smoothed(rng.normal(size=len(t)), 0.0004) * np.exp(-t * 260)
        _mixed(track, click, cut + 0.05 + k * 0.14, -0.3 + 0.03 * k, 0.35)
    return _levelled(track)
