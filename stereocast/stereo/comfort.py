"""How much depth is comfortable: maps relative depth to disparity and limits the share in front of the screen.

It knows depth values and widths, but no pictures. The screen is where disparity is 0.
"""

from dataclasses import dataclass

import numpy as np

from stereocast.types import Array

SCREEN_FOV_DEG = 60.0  # horizontal angle of a comfortable virtual screen
LIMIT_DEG = 1.0  # the 1-degree rule: the range of disparity on that screen


@dataclass(frozen=True, slots=True)
class DepthScale:
    """A shot's affine map from depth to disparity in pixels: `gain * (depth - screen)`."""

    gain: float  # pixels per unit of depth
    screen: float  # the depth at the screen

    def disparity(self, depth: Array, out: Array | None = None) -> Array:
        """Disparity in pixels, float32, of a depth array of any shape."""
        return np.multiply(depth - np.float32(self.screen), np.float32(self.gain), out=out)


def spread(values: Array, low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Robust minimum and maximum: percentiles, so that a snowflake near the lens doesn't count."""
    sample = values.reshape(-1)
    sample = sample[:: max(1, sample.size // 50_000)]
    bottom, top = np.percentile(sample, (low, high))
    return float(bottom), float(top)


def metric_unit(values: Array) -> float:
    """The inverse depth (1/m) that counts as 1: that of a shot's nearest surfaces."""
    return max(spread(values)[1], 1e-6)


def auto_strength(depth: Array, fov_deg: float = SCREEN_FOV_DEG, limit_deg: float = LIMIT_DEG) -> float:
    """The largest disparity, in % of the width, that keeps a shot's depth (0..1) within `limit_deg` on the screen."""
    bottom, top = spread(depth, 0.5, 99.5)
    return float(np.clip(100.0 * limit_deg / fov_deg / max(top - bottom, 0.25), 0.5, 4.0))


def auto_screen(depth: Array, pop_out: float) -> float:
    """The depth to put on the screen so that at most `pop_out` of a shot's disparity is in front of it."""
    bottom, top = spread(depth)
    return top - pop_out * (top - bottom)


def scale_for(
    depth: Array,
    width: int,
    strength: float | str,
    convergence: float | str,
    pop_out: float,
    unit: float = 1.0,
    fov_deg: float = SCREEN_FOV_DEG,
) -> DepthScale:
    """The map of a shot whose first frames have this depth, float32 [T, h, w].

    strength: % of `width`, or 'auto'; convergence: 0..1, or 'auto'; pop_out: 0..1; unit: the depth that counts as 1
    (1 for relative depth, `metric_unit` for metric depth); fov_deg: the screen's horizontal angle, for 'auto'.
    """
    relative = depth / np.float32(unit) if unit != 1.0 else depth
    percent = auto_strength(relative, fov_deg) if isinstance(strength, str) else strength
    screen = auto_screen(relative, pop_out) if isinstance(convergence, str) else convergence
    return DepthScale(percent / 100.0 * width / unit, screen * unit)
