"""Small scenes that lead the CPU kernels through all their branches, and fingerprints of what comes out."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from stereocast.kernels import cpu, cpu_carry, cpu_edges, cpu_fill, cpu_structure

GOLDEN = Path(__file__).with_name("golden.json")
REACH, CAP = 4, 9
SCENES = range(14)


def scene(seed: int, *, boxes: bool = True) -> dict[str, Any]:
    """A textured picture [P, H, W] and its disparity: two near boxes, a bar and a slope over a tilted background."""
    rng = np.random.default_rng(seed)
    height, width, count = 11, 29 + seed % 3, 1 + 2 * (seed % 2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = np.empty((count, height, width), np.float32)
    for p in range(count):
        angle = rng.uniform(0, np.pi)
        wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(0.5, 1.5) + p)
        planes[p] = 120 + 70 * wave + rng.normal(0, 4, (height, width))
    planes[:, :, width // 2 :] += 25
    disparity = (0.3 * rng.normal() + 0.05 * x + 0.1 * (seed % 2) * y).astype(np.float32)
    for _ in range(3):
        top, left = rng.integers(0, height - 4), rng.integers(0, width - 6)
        if seed >= 8:  # at the frame's sides
            top, left = rng.choice([0, top, height - 3]), rng.choice([0, 1, left, width - 5, width - 3])
        box = np.s_[top : top + rng.integers(3, 8), left : left + rng.integers(2, 9)]
        if not boxes:
            continue
        disparity[box] = rng.uniform(3, 9)
        planes[:, *box] = rng.uniform(20, 230, (count, 1, 1)) + rng.normal(0, 3, planes[:, *box].shape)
    if seed % 4 == 3:
        disparity -= 5  # everything goes right: a strip opens at the left side
    kind = np.uint16 if seed % 3 == 1 else np.uint8
    scale = 4 if kind is np.uint16 else 1
    return {
        "planes": (np.clip(planes, 0, 255) * scale).astype(kind),
        "disparity": disparity, "gain": np.float32((1, 0.5, 1, 0.75)[seed // 4]), "mirror": seed in (2, 5),
    }  # fmt: skip


def warped(given: dict[str, Any], distrust: int = 1) -> dict[str, Any]:
    """What `warp_rows` writes."""
    planes, disparity = given["planes"], given["disparity"]
    height, width = disparity.shape
    made = {
        "out": np.zeros_like(planes), "shifts": np.zeros((height, width), np.int16),
        "holes": np.zeros((height, (width + 7) // 8 * 8), np.uint8), "mask": np.zeros((height, width), np.uint8),
    }  # fmt: skip
    peak = np.iinfo(planes.dtype).max if planes.dtype == np.uint8 else 1023
    cpu.warp_rows(
        planes, disparity, float(given["gain"]), given["mirror"], made["out"], made["shifts"], made["holes"], made["mask"],
        0, height, distrust, peak,
    )  # fmt: skip
    return made


def listed(holes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Columns and row starts of the holes, and the holes above and below each."""
    starts, xs = np.zeros(len(holes) + 1, np.int32), np.zeros(holes.size, np.int32)
    xs = xs[: cpu_fill.list_holes(holes, xs, starts)]
    up, down = np.zeros(xs.size, np.int32), np.zeros(xs.size, np.int32)
    cpu_fill.link_rows(xs, starts, up, down)
    return xs, starts, up, down


def chain(seed: int) -> dict[str, np.ndarray]:
    """Every array that the kernels make on the way from a picture to a filled view."""
    given, later = scene(seed), scene(seed, boxes=seed % 5 == 4)
    rng = np.random.default_rng(100 + seed)
    first = warped(given, distrust=(1, 0, cpu.BARE)[seed % 3])
    turn = np.s_[..., ::-1] if given["mirror"] else np.s_[..., :]
    source, view = np.ascontiguousarray(given["planes"][turn]), np.ascontiguousarray(first["out"][turn])
    disparity, shifts, holes = np.ascontiguousarray(given["disparity"][turn]), first["shifts"], first["holes"]
    count, height, width = view.shape
    xs, starts, up, down = listed(holes)
    made = {**first, "view": view, "xs": xs, "starts": starts, "up": up, "down": down}

    side = np.zeros(xs.size, np.bool_)
    cpu_structure.mark_sides(xs, starts, width, side)
    tensor, known = np.zeros((3, height, width), np.float32), np.zeros((height, width), np.uint8)
    cpu_structure.gradients(view, shifts, holes, xs, starts, REACH, tensor, known)
    line = np.exp(-(np.arange(-REACH, REACH + 1) ** 2) / 8.0)
    window = (line[:, None] * line).astype(np.float32)
    pull, want = np.zeros(xs.size, np.float32), np.zeros((count, xs.size), np.float32)
    cpu_structure.follow(
        view, shifts, holes, xs, starts, side, tensor, known, window, REACH, CAP, np.float32(2), pull, want
    )
    leans = np.zeros((2, height), np.float32)
    cpu_structure.lean(shifts, xs, starts, tensor, known, window, REACH, np.float32(4), leans)
    made |= {
        "side": side,
        "tensor": tensor,
        "known": known,
        "followed": pull.copy(),
        "met": want.copy(),
        "leans": leans,
    }

    move = rng.integers(-2, 3, 2)  # another frame, in which all has moved, and what else it shows
    later["planes"] = np.roll(later["planes"], move, (1, 2))
    later["disparity"] = np.roll(later["disparity"], move, (0, 1))
    other = warped(later)
    flow = np.empty((2, 6, 13), np.float32)
    flow[0], flow[1] = (-move[1] if given["mirror"] else move[1]) + 0.25, move[0] - 0.375
    flow += rng.normal(0, 0.1, flow.shape).astype(np.float32)
    former = np.ascontiguousarray(other["out"][turn])
    for shown in (np.float32(0), cpu_carry.SHOWN):
        cpu_carry.carry(view, former, other["shifts"], other["holes"], flow, shifts, xs, starts, shown, pull, want)
        made |= {f"carried {shown:.0f}": pull.copy(), f"brought {shown:.0f}": want.copy()}

    values = np.zeros((count, xs.size), np.float32)
    filled = view.copy()
    cpu_fill.harmonic(
        source, filled, disparity, given["gain"], shifts, xs, starts, up, down, pull, want, leans, 5, values
    )
    plain, bare = view.copy(), np.zeros_like(values)
    cpu_fill.harmonic(
        source, plain, disparity, given["gain"], shifts, xs, starts, up, down, pull * 0, want, leans * 0, 4, bare
    )
    made |= {"filled": filled, "values": values, "plain": plain, "bare": bare}
    soft = filled.copy()
    cpu_edges.soften(soft, shifts)
    return made | {"soft": soft}


def sharpened(seed: int) -> dict[str, np.ndarray]:
    """What the edge kernels make of a soft map."""
    rng = np.random.default_rng(seed)
    low = np.full((9, 12), 1, np.float32) + rng.normal(0, 0.1, (9, 12)).astype(np.float32)
    low[2:6, 3:8] = (9, 4)[seed % 2]
    low[7:, 9:] = 6
    low[:, 1:] = (low[:, 1:] + low[:, :-1]) / 2

    def around(values: np.ndarray, pick: Any) -> np.ndarray:
        padded = np.pad(values, 1, "edge")
        views = [padded[i : i + 9, j : j + 12] for i in range(3) for j in range(3)]
        return np.ascontiguousarray(pick(views, 0), np.float32)

    near, far = around(low, np.max), around(low, np.min)
    toggled = low.copy()
    cpu_edges.toggle(toggled, near, far, np.float32(2), 1 + seed % 3)
    shape = ((20, 31), (27, 36), (9, 12))[seed % 3]
    rows, columns = (np.linspace(0, n - 1, m) for n, m in zip(low.shape, shape, strict=True))
    across = np.stack([np.interp(columns, np.arange(12), line) for line in low])
    large = np.stack([np.interp(rows, np.arange(9), line) for line in across.T]).T.astype(np.float32)
    large = np.ascontiguousarray(large)
    cpu_edges.snap_cells(low, near, far, np.float32(2), large)
    halved = np.empty((4, 6), np.float32)
    cpu.halve_disparity(low[:8], halved)
    return {"toggled": toggled, "snapped": large, "halved": halved}


def fingerprint(arrays: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Three weighted sums of each array: any change in it changes them."""
    found = {}
    for name, array in arrays.items():
        weights = np.random.default_rng(len(name)).normal(size=(3, array.size))
        found[name] = [float(f"{v:.7g}") for v in weights @ array.reshape(-1).astype(np.float64)]
    return found


def golden(update: bool, made: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, list[float]]]:
    """The stored fingerprints, with those of `made` put in first if asked."""
    stored = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    if update:
        stored |= made
        lines = [f"{json.dumps(name)}: {json.dumps(stored[name])}" for name in sorted(stored)]
        GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return stored
