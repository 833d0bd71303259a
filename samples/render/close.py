"""The second film: a painted pot that turns on a table; after a hard cut a wooden engine rolls past it."""

from __future__ import annotations

import numpy as np

from .image import Camera, Light, look
from .material import BARK, CLOTH, GLAZE, GLOW, IRON, LEAF, MATTE, PAINT, PAPER, WOOD
from .mesh import Colour, Mesh, box, capped, ellipsoid, grid, join, lathe, leaves, quad, tube, turn_x, turn_y, turn_z

FPS = 24
FRAMES = 90
CUT = 50  # the first frame of the second shot
FOCAL = 1.0
BASELINE_M = 0.02


def light() -> Light:
    """A bright window to the left and a dim warm room."""
    sun = np.array([-0.72, 0.60, -0.34])
    return Light(
        sun / np.linalg.norm(sun),
        np.array([2.1, 1.95, 1.7]),
        0.16,
        np.array([0.36, 0.36, 0.38]),
        np.array([0.26, 0.19, 0.13]),
        np.array([0.3, 0.26, 0.22]),
        400.0,
        0.45,
        True,
    )


def still() -> Mesh:
    """The table, the wall and what stands on them."""
    parts = [
        box((-1.3, -0.05, -0.75), (1.3, 0, 0.62), WOOD, (0.40, 0.22, 0.11)),
        quad((-4, -1, 1.5), (4, -1, 1.5), (4, 3, 1.5), (-4, 3, 1.5), PAPER, (0.33, 0.36, 0.30)),
        box((-4, 0.12, 1.45), (4, 0.18, 1.5), MATTE, (0.5, 0.48, 0.43)),
        box((-4, -1, 1.47), (4, 0.12, 1.5), MATTE, (0.36, 0.37, 0.34)),
    ]
    parts += [
        *_picture(),
        *_books(),
        *_pencils(),
        *_fruit(),
        _cup().at((0.34, 0, -0.20), turn_y(0.5)),
        _lamp().at((0.62, 0, 0.36)),
    ]
    parts.append(_plant().at((-0.62, 0, 0.34)))
    cloth = np.stack(np.meshgrid(np.linspace(-0.44, 0.34, 60), np.linspace(-0.42, 0.24, 50), indexing="ij"), -1)
    height = 0.002 + 0.0012 * np.sin(cloth[..., :1] * 40 + 5 * np.sin(cloth[..., 1:] * 13))
    sheet = np.concatenate([cloth[..., :1], height, cloth[..., 1:]], axis=-1)
    parts.append(grid(sheet @ turn_y(0.2).T, cloth, CLOTH, (0.44, 0.40, 0.32)))
    return join(parts)


def _picture() -> list[Mesh]:
    frame = (0.16, 0.08, 0.035)
    parts = [box((0.02, 0.52, 1.44), (0.82, 1.08, 1.47), MATTE, (0.55, 0.52, 0.44))]
    for low, high in (
        ((-0.03, 0.47, 1.42), (0.87, 0.53, 1.48)),
        ((-0.03, 1.07, 1.42), (0.87, 1.13, 1.48)),
        ((-0.03, 0.47, 1.42), (0.03, 1.13, 1.48)),
        ((0.81, 0.47, 1.42), (0.87, 1.13, 1.48)),
    ):
        parts.append(box(low, high, PAINT, frame))
    for k, tint in enumerate([(0.08, 0.16, 0.28), (0.12, 0.24, 0.22), (0.22, 0.3, 0.12)]):  # painted hills
        x = np.linspace(0.12, 0.72, 30)
        top = 0.86 - 0.08 * k + 0.04 * np.sin(x * (9 + 4 * k) + k)
        z = 1.438 - 0.002 * k
        points = np.stack([np.stack([x, np.full(30, 0.6), np.full(30, z)], 1), np.stack([x, top, np.full(30, z)], 1)])
        parts.append(grid(points, np.zeros((2, 30, 2)), MATTE, tint))
    parts.append(ellipsoid((0.6, 0.94, 1.437), (0.035, 0.035, 0.003), MATTE, (0.7, 0.3, 0.06)))
    return parts


def _books() -> list[Mesh]:
    rng = np.random.default_rng(4)
    covers = [
        (0.30, 0.04, 0.04),
        (0.04, 0.12, 0.22),
        (0.42, 0.30, 0.08),
        (0.05, 0.18, 0.10),
        (0.24, 0.10, 0.20),
        (0.40, 0.36, 0.28),
    ]
    parts, x = [], -0.16
    for k in range(9):
        thick, high, deep = rng.uniform(0.022, 0.045), rng.uniform(0.19, 0.27), rng.uniform(0.14, 0.17)
        tint = covers[k % 6]
        lean = turn_z(-0.16) if k == 8 else np.eye(3)
        book = [
            box((0, 0, 0), (thick, high, 0.004), CLOTH, tint),
            box((0, 0, 0), (0.003, high, deep), CLOTH, tint),
            box((thick - 0.003, 0, 0), (thick, high, deep), CLOTH, tint),
            box((0.003, 0.004, 0.004), (thick - 0.003, high - 0.004, deep - 0.004), MATTE, (0.6, 0.55, 0.44)),
            box((0.004, high * 0.72, -0.0008), (thick - 0.004, high * 0.8, 0), PAINT, (0.55, 0.42, 0.14)),
            box((0.004, high * 0.12, -0.0008), (thick - 0.004, high * 0.15, 0), PAINT, (0.55, 0.42, 0.14)),
        ]
        parts.append(join(book).at((x + (0.02 if k == 8 else 0), 0, 0.36), lean))
        x += thick + 0.002
    return parts


def _pencils() -> list[Mesh]:
    pot = lathe([(0.036, 0.0), (0.038, 0.1), (0.035, 0.1), (0.033, 0.01), (0, 0.01)], 28, IRON, (0.04, 0.16, 0.17))
    parts = [pot.at((-0.26, 0, -0.26))]
    rng = np.random.default_rng(6)
    for k, tint in enumerate(
        [(0.55, 0.36, 0.03), (0.45, 0.04, 0.04), (0.04, 0.14, 0.4), (0.05, 0.3, 0.1), (0.5, 0.2, 0.02)]
    ):
        angle = k * 1.26 + 0.4
        foot = np.array([0.018 * np.cos(angle + 3), 0.012, 0.018 * np.sin(angle + 3)])
        tip = np.array([0.036 * np.cos(angle), rng.uniform(0.15, 0.18), 0.036 * np.sin(angle)])
        step = (tip - foot) / np.linalg.norm(tip - foot)
        parts.append(tube(np.array([foot, tip]), 0.0038, MATTE, tint, 6).at((-0.26, 0, -0.26)))
        cone = np.array([tip, tip + step * 0.012, tip + step * 0.016])
        parts.append(tube(cone, np.array([0.0038, 0.0012, 0.0003]), MATTE, (0.55, 0.36, 0.2), 6).at((-0.26, 0, -0.26)))
    return parts


def _fruit() -> list[Mesh]:
    parts = []
    for centre, radius, tint in (
        ((0.21, 0.036, -0.02), 0.036, (0.60, 0.17, 0.015)),
        ((0.275, 0.034, 0.045), 0.034, (0.62, 0.2, 0.02)),
        ((0.19, 0.026, 0.06), 0.028, (0.62, 0.48, 0.04)),
    ):
        parts.append(ellipsoid(centre, (radius, radius * 0.95, radius * 1.04), PAINT, tint, 28))
        parts.append(
            ellipsoid(np.array(centre) + [0, radius * 0.93, 0], (0.005, 0.003, 0.005), MATTE, (0.08, 0.12, 0.02), 8)
        )
    return parts


def _cup() -> Mesh:
    white = (0.62, 0.60, 0.55)
    bowl = lathe(
        [
            (0.0, 0.006),
            (0.026, 0.006),
            (0.03, 0.012),
            (0.04, 0.05),
            (0.042, 0.075),
            (0.039, 0.075),
            (0.036, 0.05),
            (0.026, 0.016),
            (0.0, 0.014),
        ],
        36,
        PAINT,
        white,
    )
    tea = capped(
        lathe([(0.03, 0.058), (0.038, 0.06)], 24, PAINT, (0.16, 0.05, 0.01)),
        (0, 0.06, 0),
        (0, 1, 0),
        0.038,
        PAINT,
        (0.16, 0.05, 0.01),
    )
    saucer = lathe([(0.0, 0.002), (0.03, 0.002), (0.066, 0.013), (0.068, 0.011), (0.03, 0.0)], 36, PAINT, white)
    angle = np.linspace(-1.3, 1.3, 14)
    handle = tube(
        np.stack([0.036 + 0.026 * np.cos(angle), 0.04 + 0.022 * np.sin(angle), np.zeros(14)], 1),
        0.0042,
        PAINT,
        white,
        8,
    )
    spoon = tube(
        np.array([[-0.055, 0.018, -0.035], [0.0, 0.019, -0.055], [0.045, 0.02, -0.05]]),
        0.0022,
        IRON,
        (0.4, 0.4, 0.4),
        6,
    )
    return join([bowl, tea, saucer, handle, spoon])


def _lamp() -> Mesh:
    brass = (0.36, 0.24, 0.07)
    foot = lathe([(0.0, 0.02), (0.02, 0.02), (0.075, 0.012), (0.078, 0.0)], 28, PAINT, brass)
    arm = tube(np.array([[0, 0.02, 0], [0.02, 0.2, 0], [0, 0.36, 0], [-0.06, 0.44, -0.03]]), 0.006, PAINT, brass, 8)
    shade = lathe(
        [(0.02, 0.07), (0.05, 0.05), (0.085, -0.02), (0.08, -0.02), (0.045, 0.045)], 28, PAINT, (0.05, 0.14, 0.10)
    )
    bulb = ellipsoid((0, 0.015, 0), (0.026, 0.03, 0.026), GLOW, (1.7, 1.35, 0.8), 14)
    return join([foot, arm, join([shade, bulb]).at((-0.08, 0.42, -0.04), turn_z(-0.5) @ turn_x(0.2))])


def _plant() -> Mesh:
    rng = np.random.default_rng(12)
    pot = lathe(
        [(0.0, 0.0), (0.06, 0.0), (0.085, 0.12), (0.092, 0.12), (0.092, 0.14), (0.08, 0.14), (0.076, 0.12), (0, 0.118)],
        32,
        MATTE,
        (0.42, 0.17, 0.08),
    )
    parts = [pot]
    for k in range(26):
        angle, reach, rise = k * 2.4, rng.uniform(0.08, 0.24), rng.uniform(0.16, 0.38)
        t = np.linspace(0, 1, 9)[:, None]
        out = np.array([np.cos(angle), 0, np.sin(angle)])
        line = np.array([0, 0.11, 0]) + out * reach * t**1.3 + np.array([0, rise, 0]) * np.sin(t * 2.0)
        parts.append(tube(line, 0.0025, LEAF, (0.10, 0.2, 0.05), 4))
        side = np.array([-out[2], 0, out[0]])
        spine = (
            line[-1]
            + (line[-1] - line[-2]) * np.linspace(0, 2.2, 7)[:, None]
            - np.array([0, 0.05, 0]) * np.linspace(0, 1, 7)[:, None] ** 2
        )
        wide = 0.03 * np.sin(np.linspace(0.05, np.pi - 0.02, 7))[:, None]
        blade = np.stack([spine - side * wide, spine + [0, -0.006, 0], spine + side * wide])
        tint = np.array((0.06, 0.19, 0.05)) * rng.uniform(0.7, 1.4)
        parts.append(grid(blade, np.zeros((3, 7, 2)), LEAF, tint))
    return join(parts)


def _pot() -> Mesh:
    """The turned pot with dry twigs and seed heads."""
    knots = np.array(
        [
            [0.0, 0.0],
            [0.045, 0.0],
            [0.05, 0.008],
            [0.07, 0.05],
            [0.088, 0.11],
            [0.083, 0.165],
            [0.056, 0.21],
            [0.034, 0.235],
            [0.034, 0.255],
            [0.046, 0.272],
            [0.041, 0.272],
            [0.03, 0.25],
        ]
    )
    t = np.linspace(0, len(knots) - 1, 90)
    smooth = np.stack([np.interp(t, np.arange(len(knots)), knots[:, k]) for k in (0, 1)], axis=1)
    kernel = np.hanning(13) / np.hanning(13).sum()
    padded = np.concatenate([np.repeat(smooth[:1], 6, 0), smooth, np.repeat(smooth[-1:], 6, 0)])
    profile = np.stack([np.convolve(padded[:, k], kernel, "valid") for k in (0, 1)], axis=1)
    profile[0, 0] = 0
    parts = [lathe(profile[::-1], 72, GLAZE, (0.66, 0.62, 0.52))]
    rng = np.random.default_rng(21)
    for k in range(13):
        angle = k * 2.4 + rng.uniform(-0.2, 0.2)
        reach, rise = rng.uniform(0.05, 0.17), rng.uniform(0.2, 0.33)
        s = np.linspace(0, 1, 12)[:, None]
        out = np.array([np.cos(angle), 0, np.sin(angle)])
        line = np.array([0, 0.235, 0]) + out * (0.012 + reach * s**1.5) + np.array([0, rise, 0]) * s
        line += 0.004 * np.sin(s * 9 + k) * np.array([out[2], 0, -out[0]])
        parts.append(tube(line, np.linspace(0.0022, 0.0011, 12), BARK, (0.24, 0.16, 0.08), 5))
        if k % 3 == 0:
            parts.append(ellipsoid(line[-1], (0.013, 0.017, 0.013), MATTE, (0.36, 0.24, 0.12), 14))
            parts.append(
                lathe([(0.004, 0.0), (0.011, 0.006), (0.008, 0.002)], 9, MATTE, (0.3, 0.2, 0.1)).at(
                    line[-1] + [0, 0.015, 0]
                )
            )
        elif k % 3 == 1:
            spread = line[rng.integers(5, 12, 34)] + rng.normal(0, 0.011, (34, 3))
            parts.append(leaves(spread, 0.013, rng, LEAF, (0.46, 0.22, 0.06)))
        else:
            for j in range(5, 12):
                berry = line[j] + rng.normal(0, 0.006, 3)
                parts.append(ellipsoid(berry, (0.0052, 0.0052, 0.0052), PAINT, (0.45, 0.02, 0.03), 10))
    return join(parts)


def _engine(roll: float) -> Mesh:
    """A wooden steam engine that faces +x; `roll` turns its wheels."""
    red, blue, yellow, black = (0.46, 0.035, 0.03), (0.03, 0.12, 0.36), (0.62, 0.40, 0.03), (0.03, 0.03, 0.035)
    parts = [box((-0.075, 0.022, -0.03), (0.085, 0.034, 0.03), MATTE, (0.45, 0.27, 0.13))]
    boiler = tube(np.array([[-0.02, 0.062, 0], [0.075, 0.062, 0]]), 0.027, PAINT, blue, 32)
    boiler = capped(boiler, (0.075, 0.062, 0), (1, 0, 0), 0.027, PAINT, blue)
    parts += [
        boiler,
        tube(np.array([[0.07, 0.062, 0], [0.078, 0.062, 0]]), 0.029, PAINT, yellow, 32),
        tube(np.array([[0.02, 0.062, 0], [0.025, 0.062, 0]]), 0.0285, PAINT, yellow, 32),
    ]
    parts.append(
        capped(
            tube(np.array([[0.077, 0.062, 0], [0.082, 0.062, 0]]), 0.018, PAINT, black, 24),
            (0.082, 0.062, 0),
            (1, 0, 0),
            0.018,
            MATTE,
            black,
        )
    )
    for x0, x1 in ((-0.072, -0.064), (-0.03, -0.022)):
        for z0, z1 in ((-0.03, -0.022), (0.022, 0.03)):
            parts.append(box((x0, 0.034, z0), (x1, 0.115, z1), PAINT, red))
    parts += [
        box((-0.072, 0.034, -0.03), (-0.022, 0.07, -0.026), PAINT, red),
        box((-0.072, 0.034, 0.026), (-0.022, 0.07, 0.03), PAINT, red),
        box((-0.072, 0.034, -0.03), (-0.066, 0.07, 0.03), PAINT, red),
    ]
    parts.append(box((-0.08, 0.114, -0.036), (-0.014, 0.122, 0.036), PAINT, yellow))
    parts.append(
        lathe([(0.0075, 0.085), (0.0075, 0.115), (0.014, 0.13), (0.011, 0.131), (0.006, 0.118)], 20, PAINT, black).at(
            (0.057, 0, 0)
        )
    )
    parts.append(
        lathe([(0.012, 0.085), (0.012, 0.096), (0.006, 0.104), (0, 0.106)], 20, PAINT, yellow).at((0.005, 0, 0))
    )
    for side in (-1, 1):
        for x, r in ((-0.045, 0.027), (0.018, 0.02), (0.06, 0.02)):
            wheel = tube(np.array([[0, 0, 0.029 * side], [0, 0, 0.037 * side]]), r, PAINT, red, 32)
            wheel = capped(wheel, (0, 0, 0.037 * side), (0, 0, side), r, PAINT, red)
            hub = capped(
                tube(np.array([[0, 0, 0.037 * side], [0, 0, 0.041 * side]]), r * 0.22, PAINT, yellow, 12),
                (0, 0, 0.041 * side),
                (0, 0, side),
                r * 0.22,
                PAINT,
                yellow,
            )
            marks = [
                tube(
                    np.array(
                        [
                            [r * 0.3 * np.cos(a), r * 0.3 * np.sin(a), 0.0375 * side],
                            [r * 0.8 * np.cos(a), r * 0.8 * np.sin(a), 0.0375 * side],
                        ]
                    ),
                    0.0016,
                    MATTE,
                    yellow,
                    4,
                )
                for a in np.arange(6) * np.pi / 3
            ]
            parts.append(join([wheel, hub, *marks]).at((x, r, 0), turn_z(-roll * 0.02 / r)))
        rod_y, rod_x = 0.02 + 0.01 * np.sin(-roll), 0.01 * np.cos(-roll)
        parts.append(
            box(
                (-0.045 + rod_x, rod_y - 0.003, 0.042 * side - 0.002),
                (0.06 + rod_x, rod_y + 0.003, 0.042 * side + 0.002),
                IRON,
                (0.4, 0.4, 0.4),
            )
        )
    return join(parts)


def _wagon(roll: float, tint: Colour) -> Mesh:
    parts = [
        box((-0.05, 0.024, -0.03), (0.05, 0.06, 0.03), PAINT, tint),
        box((-0.07, 0.03, -0.003), (0.07, 0.034, 0.003), IRON, (0.2, 0.2, 0.2)),
    ]
    rng = np.random.default_rng(8)
    for _ in range(24):
        x, y, z = rng.uniform((-0.042, 0.058, -0.023), (0.042, 0.068, 0.023))
        parts.append(
            ellipsoid((x, y, z), (0.009, 0.008, 0.008), MATTE, np.array((0.42, 0.26, 0.12)) * rng.uniform(0.6, 1.2), 8)
        )
    for side in (-1, 1):
        for x in (-0.03, 0.03):
            wheel = capped(
                tube(np.array([[0, 0, 0.029 * side], [0, 0, 0.036 * side]]), 0.018, PAINT, (0.03, 0.03, 0.035), 28),
                (0, 0, 0.036 * side),
                (0, 0, side),
                0.018,
                PAINT,
                (0.03, 0.03, 0.035),
            )
            dot = ellipsoid((0.009, 0, 0.036 * side), (0.003, 0.003, 0.002), MATTE, (0.6, 0.5, 0.3), 8)
            parts.append(join([wheel, dot]).at((x, 0.018, 0), turn_z(-roll * 0.02 / 0.018)))
    return join(parts)


def moving(time: float) -> Mesh:
    """The pot turns; the train rolls."""
    travel = 0.115 * (time - CUT / FPS)
    turn = turn_y(0.18)
    ahead = turn @ np.array([1.0, 0, 0])
    start = np.array([-0.02, 0.0045, -0.24])
    roll = travel / 0.02
    train = [_engine(roll).at(start + ahead * travel, turn)]
    for k, tint in enumerate([(0.05, 0.22, 0.10), (0.55, 0.33, 0.03)]):
        train.append(_wagon(roll, tint).at(start + ahead * (travel - 0.15 - 0.128 * k), turn))
    return join([_pot().at((0.0, 0.004, 0.02), turn_y(-1.5 * time)), *train])


def camera(time: float) -> Camera:
    """The left eye: a slow arc round the pot, then low over the table beside the train."""
    if time * FPS < CUT - 1e-6:
        angle = -0.32 + 0.26 * time
        place = np.array([0.84 * np.sin(angle), 0.41 - 0.035 * time, 0.02 - 0.84 * np.cos(angle)])
        return look(place, np.array([0.0, 0.178, 0.0]), FOCAL)
    t = time - CUT / FPS
    place = np.array([0.13 + 0.03 * t, 0.115 + 0.01 * np.sin(t), -0.63 + 0.03 * t])
    return look(place, np.array([-0.03 + 0.075 * t, 0.088, -0.20]), FOCAL * 1.05)
