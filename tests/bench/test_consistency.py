"""A true pair agrees, a vertical shift and noise are seen."""

import cv2
import numpy as np

from bench.consistency import consistency


def test_figures_tell_good_pairs_from_bad_ones() -> None:
    noise = np.random.default_rng(0).random((120, 220), np.float32)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    left, right = wide[10:110, 10:210].copy(), wide[10:110, 14:214].copy()
    good = consistency(left, right)
    assert good["residual"] < 3
    assert good["vertical_px"] < 0.2
    assert good["matched"] > 0.9
    assert consistency(left, wide[13:113, 14:214].copy())["vertical_px"] > 2
    assert consistency(left, np.roll(right[::-1], 50, 1).copy())["matched"] < 0.7
