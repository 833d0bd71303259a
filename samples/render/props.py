"""What stands and moves in the street: lamps, trees, a bicycle, cars, people, wires."""

from __future__ import annotations

import numpy as np

from .material import BARK, CLOTH, GLASS, GLOW, IRON, LEAF, MATTE, PAINT, WOOD
from .mesh import Array, Colour, Mesh, box, capped, ellipsoid, grid, join, lathe, leaves, tube, turn_x, turn_y

BLACK = (0.02, 0.022, 0.025)


def lamp() -> Mesh:
    """A street lamp 4.1 m high."""
    green = (0.015, 0.05, 0.04)
    post = lathe(
        [(0.17, 0), (0.17, 0.18), (0.12, 0.24), (0.11, 0.8), (0.13, 0.85), (0.065, 0.95), (0.045, 3.2), (0.075, 3.25), (0.03, 3.4), (0.1, 3.45)],
        12, IRON, green,
    )  # fmt: skip
    bar = tube(np.array([[-0.38, 3.05, 0], [0.38, 3.05, 0]]), 0.02, IRON, green)
    glass = lathe([(0.09, 3.45), (0.17, 3.95)], 6, GLOW, (1.15, 0.95, 0.6))
    frame = [
        tube(np.array([[0.095 * c, 3.45, 0.095 * s], [0.175 * c, 3.96, 0.175 * s]]), 0.012, IRON, green, 4)
        for c, s in ((np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3)
    ]
    hood = lathe([(0.0, 4.3), (0.02, 4.22), (0.06, 4.15), (0.21, 3.96), (0.17, 3.94)], 6, IRON, green)
    return join([post, bar, glass, hood, *frame])


def tree(seed: int, height: float = 6.5) -> Mesh:
    """A tree with branches and some thousands of leaves."""
    rng = np.random.default_rng(seed)
    bark = (0.16, 0.12, 0.09)
    fork = np.array([rng.normal(0, 0.1), height * 0.42, rng.normal(0, 0.1)])
    trunk = np.array([[0, 0, 0], [0.03, height * 0.2, -0.04], fork])
    parts = [tube(trunk, np.array([0.2, 0.14, 0.11]), BARK, bark, 10)]
    clouds = []
    for k in range(9):
        angle = k * 2.4 + rng.uniform(-0.3, 0.3)
        reach, rise = rng.uniform(0.5, 1.55), rng.uniform(0.22, 0.5) * height
        tip = fork + [reach * np.cos(angle), rise, reach * np.sin(angle)]
        bend = (fork + tip) / 2 + [0.12 * np.cos(angle), -0.15, 0.12 * np.sin(angle)]
        parts.append(tube(np.array([fork, bend, tip]), np.array([0.075, 0.045, 0.015]), BARK, bark, 6))
        clouds.append(tip)
        clouds.append(bend + [0, 0.35, 0])
    for centre in clouds:
        spread = rng.normal(size=(420, 3))
        spread *= (rng.uniform(0.35, 1, (420, 1)) ** 0.5) / np.linalg.norm(spread, axis=1, keepdims=True)
        tint = np.array((0.11, 0.20, 0.035)) * rng.uniform(0.75, 1.25)
        parts.append(leaves(centre + spread * [0.85, 0.62, 0.85], 0.085, rng, LEAF, tint))
    guard = [tube(np.array([[0.34 * c, 0, 0.34 * s], [0.34 * c, 1.3, 0.34 * s]]), 0.012, IRON, BLACK, 4)
             for c, s in ((np.cos(a), np.sin(a)) for a in np.arange(10) * np.pi / 5)]  # fmt: skip
    angle = np.linspace(0, 2 * np.pi, 21)
    hoops = [tube(np.stack([0.34 * np.cos(angle), np.full(21, y), 0.34 * np.sin(angle)], 1), 0.014, IRON, BLACK, 4)
             for y in (0.12, 1.28)]  # fmt: skip
    return join([*parts, *guard, *hoops])


def bicycle() -> Mesh:
    """A bicycle along z, 1.7 m long."""
    red, grey = (0.42, 0.03, 0.03), (0.35, 0.35, 0.36)
    angle = np.linspace(0, 2 * np.pi, 37)
    parts = []
    for z in (-0.52, 0.52):
        rim = np.stack([np.zeros(37), 0.34 + 0.33 * np.sin(angle), z + 0.33 * np.cos(angle)], 1)
        parts.append(tube(rim, 0.016, MATTE, BLACK, 6))
        parts.append(tube(rim * [1, 0.96, 1] + [0, 0.0136, 0], 0.007, IRON, grey, 4))
        for a in np.arange(18) * np.pi / 9:
            spoke = np.array([[0.02, 0.34, z], [0, 0.34 + 0.32 * np.sin(a), z + 0.32 * np.cos(a)]])
            parts.append(tube(spoke, 0.0022, IRON, grey, 3))
    seat, pedal, head, fork = (0, 0.86, -0.24), (0, 0.30, -0.08), (0, 0.84, 0.34), (0, 0.34, 0.52)
    hub = (0, 0.34, -0.52)
    for a, b, r in (
        (seat, pedal, 0.016),
        (pedal, head, 0.018),
        (head, seat, 0.016),
        (head, fork, 0.014),
        (pedal, hub, 0.011),
        (seat, hub, 0.009),
    ):
        parts.append(tube(np.array([a, b]), r, PAINT, red, 8))
    parts.append(tube(np.array([seat, (0, 0.97, -0.27)]), 0.012, IRON, grey))
    parts.append(ellipsoid((0, 0.99, -0.27), (0.075, 0.03, 0.13), MATTE, (0.08, 0.04, 0.02)))
    bar = np.array([[-0.28, 1.0, 0.2], [-0.22, 1.02, 0.32], [0, 1.0, 0.32], [0.22, 1.02, 0.32], [0.28, 1.0, 0.2]])
    parts += [tube(bar, 0.012, IRON, grey), tube(np.array([head, (0, 1.0, 0.32)]), 0.014, IRON, grey)]
    basket = [tube(np.array([[x, 0.8, z], [x * 1.2, 1.02, z + (z - 0.5) * 0.2]]), 0.004, WOOD, (0.4, 0.25, 0.1), 3)
              for x in np.linspace(-0.15, 0.15, 8) for z in (0.38, 0.62)]  # fmt: skip
    return join([*parts, *basket, box((-0.16, 0.79, 0.37), (0.16, 0.81, 0.63), WOOD, (0.4, 0.25, 0.1))])


def _hull(stations: list[tuple[float, float, float, float, float]], kind: int, tint: Colour, power: float) -> Mesh:
    """A skin through rounded cross sections: (z, half width, bottom, top, half width at the top) each."""
    angle = np.linspace(0, 2 * np.pi, 29)
    c, s = np.cos(angle), np.sin(angle)
    c, s = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
    rings = []
    for z, half, bottom, top, half_top in stations:
        wide = half + (half_top - half) * (s * 0.5 + 0.5)
        rings.append(np.stack([wide * c, (bottom + top) / 2 + (top - bottom) / 2 * s, np.full(29, z)], 1))
    points = np.stack(rings)
    uv = np.stack(np.broadcast_arrays(angle / 7, points[..., 2]), axis=-1)
    return grid(points, uv, kind, tint, ring=True)


def car(tint: Colour) -> Mesh:
    """A small car along z, nose towards +z, 4 m long."""
    body = [(-2.0, 0.5, 0.5, 0.6, 0.4), (-1.98, 0.74, 0.32, 0.9, 0.62), (-1.75, 0.82, 0.24, 0.98, 0.7), (-0.9, 0.85, 0.2, 0.99, 0.74),
            (0.6, 0.85, 0.2, 0.97, 0.74), (1.3, 0.83, 0.22, 0.88, 0.7), (1.85, 0.76, 0.28, 0.74, 0.62),
            (1.98, 0.68, 0.36, 0.66, 0.55), (2.0, 0.4, 0.5, 0.56, 0.4)]  # fmt: skip
    glass = [(-1.8, 0.6, 0.8, 0.92, 0.55), (-1.55, 0.71, 0.8, 1.3, 0.58), (-0.9, 0.76, 0.8, 1.42, 0.6), (0.0, 0.77, 0.8, 1.42, 0.6),
             (0.35, 0.76, 0.8, 1.32, 0.58), (0.95, 0.7, 0.8, 0.95, 0.6)]  # fmt: skip
    roof = [
        (-1.5, 0.55, 1.28, 1.33, 0.5),
        (-0.9, 0.61, 1.36, 1.46, 0.55),
        (0.0, 0.61, 1.36, 1.46, 0.55),
        (0.3, 0.56, 1.32, 1.37, 0.5),
    ]
    parts = [_hull(body, PAINT, tint, 0.55), _hull(glass, GLASS, (0.5, 0.5, 0.5), 0.5), _hull(roof, PAINT, tint, 0.6)]
    for side in (-1, 1):
        for a, b in (
            ((0.72, 0.95, 0.95), (0.575, 1.38, 0.33)),
            ((0.77, 0.98, -0.35), (0.6, 1.41, -0.35)),
            ((0.7, 0.97, -1.62), (0.57, 1.36, -1.32)),
        ):
            parts.append(tube(np.array([a, b]) * [side, 1, 1], 0.035, PAINT, tint, 6))
        for z in (-1.25, 1.25):
            wheel = np.array([[0.62 * side, 0.31, z], [0.84 * side, 0.31, z]])
            tyre = tube(wheel, 0.31, MATTE, BLACK, 24)
            tyre = capped(tyre, wheel[1], (side, 0, 0), 0.31, MATTE, BLACK)
            parts.append(capped(tyre, wheel[1] + [0.006 * side, 0, 0], (side, 0, 0), 0.19, IRON, (0.2, 0.2, 0.21)))
        parts.append(ellipsoid((0.56 * side, 0.62, 1.93), (0.15, 0.09, 0.08), GLOW, (1.3, 1.25, 1.1)))
        parts.append(ellipsoid((0.62 * side, 0.76, -1.95), (0.11, 0.09, 0.06), GLOW, (0.7, 0.02, 0.02)))
        parts.append(ellipsoid((0.9 * side, 1.0, 0.72), (0.09, 0.07, 0.05), PAINT, tint))
    parts.append(box((-0.26, 0.4, 1.98), (0.26, 0.52, 2.01), MATTE, (0.6, 0.6, 0.55)))
    return join(parts)


def _limb(
    start: Array,
    angles: tuple[float, float],
    lengths: tuple[float, float],
    radii: tuple[float, float, float],
    kind: int,
    tint: Colour,
) -> tuple[Mesh, Array]:
    middle = start + lengths[0] * np.array([0, -np.cos(angles[0]), np.sin(angles[0])])
    end = middle + lengths[1] * np.array([0, -np.cos(angles[1]), np.sin(angles[1])])
    path = np.array([start, (start + middle) / 2, middle, (middle + end) / 2, end])
    r = np.array([radii[0], (radii[0] + radii[1]) / 2, radii[1], (radii[1] + radii[2]) / 2, radii[2]])
    return tube(path, r, kind, tint, 10), end


def person(phase: float, coat: Colour, trousers: Colour, hat: Colour | None) -> Mesh:
    """A walker 1.75 m tall who goes towards +z; `phase` in radians, one full turn is two steps."""
    skin, hair = (0.50, 0.28, 0.19), (0.06, 0.035, 0.02)
    bob = 0.022 * np.cos(2 * phase)
    sway = np.array([0.012 * np.sin(phase), bob, 0])
    parts = []
    for side, step in ((-1, phase), (1, phase + np.pi)):
        thigh = 0.46 * np.sin(step)
        knee = thigh - 0.1 - 0.75 * max(0.0, np.cos(step)) ** 1.5
        leg, foot = _limb(
            sway + [0.095 * side, 0.9, 0], (thigh, knee), (0.44, 0.42), (0.085, 0.065, 0.05), CLOTH, trousers
        )
        parts += [leg, ellipsoid(foot + [0, -0.02, 0.07], (0.05, 0.045, 0.13), MATTE, BLACK)]
        swing = -0.42 * np.sin(step)
        arm, hand = _limb(
            sway + [0.215 * side, 1.39, 0], (swing, swing + 0.28), (0.28, 0.26), (0.062, 0.05, 0.042), CLOTH, coat
        )
        shoulder = ellipsoid(sway + [0.2 * side, 1.375, 0], (0.078, 0.085, 0.08), CLOTH, coat, 12)
        parts += [arm, shoulder, ellipsoid(hand + [0, -0.04, 0.01], (0.035, 0.065, 0.045), MATTE, skin, 10)]
    heights = [0.62, 0.8, 0.95, 1.12, 1.3, 1.41, 1.47]
    torso = tube(np.array([[0, y, 0.02 * np.sin(phase) * (y < 0.8)] for y in heights]) + sway,
                 np.array([0.16, 0.15, 0.13, 0.125, 0.14, 0.12, 0.05]), CLOTH, coat, 20, 1.42)  # fmt: skip
    scarf = lathe([(0.07, 1.44), (0.1, 1.46), (0.105, 1.5), (0.065, 1.54)], 14, CLOTH, (0.55, 0.35, 0.05)).at(sway)
    head = [ellipsoid(sway + [0, 1.635, 0.015], (0.082, 0.115, 0.1), MATTE, skin)]
    head.append(ellipsoid(sway + [0, 1.67, -0.02], (0.092, 0.105, 0.1), MATTE, hair))
    head.append(ellipsoid(sway + [0, 1.62, 0.115], (0.016, 0.024, 0.022), MATTE, skin, 8))
    head += [ellipsoid(sway + [0.032 * side, 1.645, 0.105], (0.011, 0.009, 0.008), MATTE, BLACK, 8) for side in (-1, 1)]
    if hat is not None:
        head.append(ellipsoid(sway + [0, 1.715, -0.005], (0.1, 0.075, 0.108), CLOTH, hat))
    bag = [box((0.2, 0.72, -0.12), (0.28, 0.98, 0.16), MATTE, (0.2, 0.09, 0.03)).at(sway)]
    bag.append(
        tube(
            np.array([[0.24, 0.96, 0], [0.12, 1.25, 0.14], [-0.14, 1.45, 0.03]]) + sway, 0.014, MATTE, (0.2, 0.09, 0.03)
        )
    )
    return join([*parts, torso, scarf, *head, *bag])


def wire(a: Colour, b: Colour, sag: float, flags: bool, seed: int) -> Mesh:
    """A wire that hangs from a to b, with coloured flags or without."""
    t = np.linspace(0, 1, 25)[:, None]
    path = np.asarray(a) + (np.asarray(b) - np.asarray(a)) * t - np.array([0, 4 * sag, 0]) * t * (1 - t)
    parts = [tube(path, 0.012, IRON, BLACK, 4)]
    if flags:
        rng = np.random.default_rng(seed)
        colours = [(0.6, 0.04, 0.05), (0.65, 0.42, 0.03), (0.05, 0.2, 0.5), (0.06, 0.35, 0.12), (0.62, 0.6, 0.55)]
        along = (path[-1] - path[0]) / np.linalg.norm(path[-1] - path[0])
        for k in np.linspace(0.04, 0.96, 26):
            top = np.array([np.interp(k, t[:, 0], path[:, i]) for i in range(3)])
            drop = np.array([rng.normal(0, 0.04), -0.34, rng.normal(0, 0.05)])
            left, right = top - along * 0.13, top + along * 0.13
            corners = np.array([[left, right], [top + drop, top + drop + 1e-3]])
            uv = np.zeros((2, 2, 2))
            parts.append(grid(corners, uv, MATTE, colours[rng.integers(5)]))
    return join(parts)


def post_box() -> Mesh:
    """A red pillar box."""
    red = (0.45, 0.02, 0.02)
    profile = [(0.27, 0), (0.27, 0.12), (0.23, 0.15), (0.23, 1.3), (0.27, 1.34), (0.27, 1.4), (0.2, 1.47), (0.0, 1.52)]
    slot = box((-0.27, 1.12, -0.1), (-0.2, 1.17, 0.1), MATTE, BLACK)
    return join([lathe(profile, 24, PAINT, red), slot])


def leaned(mesh: Mesh, offset: Colour, turn: float, lean: float) -> Mesh:
    """`mesh` leaned over by `lean` about its foot, turned about the vertical, and put in its place."""
    return mesh.at(
        offset,
        turn_y(turn)
        @ turn_x(0)
        @ np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]]),
    )
