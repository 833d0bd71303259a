"""Triangle rasteriser for the training scenes, one core, numba.

Homogeneous rasterisation (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates"): for a pixel ray d the vector
M^-1 d, M = [v0 v1 v2] in camera space, is (barycentric / z), so no triangle is ever clipped and 1/z is its sum. Shading is deferred.
Camera space: x right, y down, z forward; a pixel (u, v) looks along ((u - cx) / f, (v - cy) / f, 1).
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEAR = 0.02


@njit(cache=True, fastmath=True)
def _bounds(a, b, f, cx, cy, box):
    """Grow `box` by the projection of segment a-b clipped to the near plane."""
    az, bz = a[2], b[2]
    if az < NEAR and bz < NEAR:
        return
    for k in range(2):
        x0, y0, z0 = (a[0], a[1], az) if k == 0 else (b[0], b[1], bz)
        x1, y1, z1 = (b[0], b[1], bz) if k == 0 else (a[0], a[1], az)
        if z0 < NEAR:
            t = (NEAR - z0) / (z1 - z0)
            x0, y0, z0 = x0 + t * (x1 - x0), y0 + t * (y1 - y0), NEAR
        u, v = f * x0 / z0 + cx, f * y0 / z0 + cy
        box[0], box[1] = min(box[0], u), max(box[1], u)
        box[2], box[3] = min(box[2], v), max(box[3], v)


@njit(cache=True, fastmath=True)
def visible(verts, uvs, faces, owner, cut_texture, alpha, width, height, f, cx, cy):
    """Nearest triangle of every pixel.

    verts [N, 3] float32 in camera space; uvs [N, 2]; faces [M, 3] int32; owner [M] int32 names the instance; cut_texture [instances] int32 is an
    index into alpha [K, S, S] uint8 or -1. Returns inverse depth [H, W] (0 where nothing), triangle index [H, W] (-1), edge matrices [M, 9].
    """
    inv_z = np.zeros((height, width), np.float32)
    tri = np.full((height, width), -1, np.int32)
    coef = np.zeros((faces.shape[0], 9), np.float32)
    box = np.zeros(4, np.float32)
    size = alpha.shape[1]
    for m in range(faces.shape[0]):
        i0, i1, i2 = faces[m, 0], faces[m, 1], faces[m, 2]
        a, b, c = verts[i0], verts[i1], verts[i2]
        if a[2] < NEAR and b[2] < NEAR and c[2] < NEAR:
            continue
        box[0], box[1], box[2], box[3] = 1e9, -1e9, 1e9, -1e9
        _bounds(a, b, f, cx, cy, box)
        _bounds(b, c, f, cx, cy, box)
        _bounds(c, a, f, cx, cy, box)
        if box[1] < 0 or box[3] < 0 or box[0] > width or box[2] > height:
            continue
        x0, x1 = int(max(0.0, box[0])), int(min(float(width - 1), box[1]))
        y0, y1 = int(max(0.0, box[2])), int(min(float(height - 1), box[3]))
        # rows of M^-1 are cross products over the determinant
        r0x, r0y, r0z = b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]
        det = a[0] * r0x + a[1] * r0y + a[2] * r0z
        if abs(det) < 1e-12:
            continue
        s = 1.0 / det
        r0x, r0y, r0z = r0x * s, r0y * s, r0z * s
        r1x, r1y, r1z = (
            (c[1] * a[2] - c[2] * a[1]) * s,
            (c[2] * a[0] - c[0] * a[2]) * s,
            (c[0] * a[1] - c[1] * a[0]) * s,
        )
        r2x, r2y, r2z = (
            (a[1] * b[2] - a[2] * b[1]) * s,
            (a[2] * b[0] - a[0] * b[2]) * s,
            (a[0] * b[1] - a[1] * b[0]) * s,
        )
        p0, q0, k0 = r0x / f, r0y / f, r0z + (0.5 - cx) * r0x / f + (0.5 - cy) * r0y / f
        p1, q1, k1 = r1x / f, r1y / f, r1z + (0.5 - cx) * r1x / f + (0.5 - cy) * r1y / f
        p2, q2, k2 = r2x / f, r2y / f, r2z + (0.5 - cx) * r2x / f + (0.5 - cy) * r2y / f
        coef[m, 0], coef[m, 1], coef[m, 2] = p0, q0, k0
        coef[m, 3], coef[m, 4], coef[m, 5] = p1, q1, k1
        coef[m, 6], coef[m, 7], coef[m, 8] = p2, q2, k2
        cut = cut_texture[owner[m]]
        for y in range(y0, y1 + 1):
            e0, e1, e2 = q0 * y + k0, q1 * y + k1, q2 * y + k2
            for x in range(x0, x1 + 1):
                w0, w1, w2 = e0 + p0 * x, e1 + p1 * x, e2 + p2 * x
                if w0 >= 0 and w1 >= 0 and w2 >= 0:
                    iz = w0 + w1 + w2
                    if iz > inv_z[y, x] and iz < 1.0 / NEAR:
                        if cut >= 0:
                            u = (w0 * uvs[i0, 0] + w1 * uvs[i1, 0] + w2 * uvs[i2, 0]) / iz
                            v = (w0 * uvs[i0, 1] + w1 * uvs[i1, 1] + w2 * uvs[i2, 1]) / iz
                            if alpha[cut, int(v * size) % size, int(u * size) % size] < 128:
                                continue
                        inv_z[y, x] = iz
                        tri[y, x] = m
    return inv_z, tri, coef


@njit(cache=True, fastmath=True)
def shadow_map(xyz, faces, res):
    """Depth seen from the sun: xyz [N, 3], x and y in map pixels, z away from the sun. Returns [res, res], 1e9 where nothing is."""
    depth = np.full((res, res), np.float32(1e9))
    for m in range(faces.shape[0]):
        a, b, c = xyz[faces[m, 0]], xyz[faces[m, 1]], xyz[faces[m, 2]]
        x0, x1 = int(max(0.0, min(a[0], b[0], c[0]))), int(min(res - 1.0, max(a[0], b[0], c[0])))
        y0, y1 = int(max(0.0, min(a[1], b[1], c[1]))), int(min(res - 1.0, max(a[1], b[1], c[1])))
        if x1 < x0 or y1 < y0:
            continue
        det = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(det) < 1e-9:
            continue
        s = 1.0 / det
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + 0.5 - a[0], y + 0.5 - a[1]
                w1 = (px * (c[1] - a[1]) - py * (c[0] - a[0])) * s
                w2 = (py * (b[0] - a[0]) - px * (b[1] - a[1])) * s
                if w1 >= 0 and w2 >= 0 and w1 + w2 <= 1:
                    z = a[2] + w1 * (b[2] - a[2]) + w2 * (c[2] - a[2])
                    if z < depth[y, x]:
                        depth[y, x] = z
    return depth


@njit(cache=True, fastmath=True)
def shade(
    inv_z,
    tri,
    coef,
    normals,
    uvs,
    faces,
    owner,
    material,
    pyramid,
    offsets,
    f,
    cx,
    cy,
    sun,
    sun_rgb,
    sky_rgb,
    ground_rgb,
    up,
    lamps,
    to_map,
    shadows,
    bias,
    soft,
):
    """Linear colour of every pixel, [H, W, 3] float32; sky pixels stay 0.

    material [instances, 12]: texture, contrast, tint rgb, second tint rgb, gloss, glow, texel density (texels per metre), unused.
    pyramid: flat texel store [L, 3] uint8 in levels of 128..4 starting at offsets [K, 6].
    sun, up: unit vectors in camera space, sun towards the sun.
    lamps [n, 7]: position, rgb, radius. to_map [3, 4]: camera space to shadow map; soft: width of a shadow's edge in its pixels.
    """
    height, width = inv_z.shape
    out = np.zeros((height, width, 3), np.float32)
    res = shadows.shape[0]
    for y in range(height):
        for x in range(width):
            m = tri[y, x]
            if m < 0:
                continue
            iz = inv_z[y, x]
            z = 1.0 / iz
            w0 = (coef[m, 0] * x + coef[m, 1] * y + coef[m, 2]) * z
            w1 = (coef[m, 3] * x + coef[m, 4] * y + coef[m, 5]) * z
            w2 = 1.0 - w0 - w1
            i0, i1, i2 = faces[m, 0], faces[m, 1], faces[m, 2]
            nx = w0 * normals[i0, 0] + w1 * normals[i1, 0] + w2 * normals[i2, 0]
            ny = w0 * normals[i0, 1] + w1 * normals[i1, 1] + w2 * normals[i2, 1]
            nz = w0 * normals[i0, 2] + w1 * normals[i1, 2] + w2 * normals[i2, 2]
            dx, dy = (x + 0.5 - cx) / f, (y + 0.5 - cy) / f
            s = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            facing = (nx * dx + ny * dy + nz) * s / np.sqrt(dx * dx + dy * dy + 1.0)
            if facing > 0:  # two-sided
                s = -s
                facing = -facing
            nx, ny, nz = nx * s, ny * s, nz * s
            px, py, pz = dx * z, dy * z, z
            o = owner[m]
            k = int(material[o, 0])
            u = w0 * uvs[i0, 0] + w1 * uvs[i1, 0] + w2 * uvs[i2, 0]
            v = w0 * uvs[i0, 1] + w1 * uvs[i1, 1] + w2 * uvs[i2, 1]
            foot = material[o, 10] * z / f / max(0.25, -facing)
            level, size = 0, 128
            while foot > 1.0 and level < 5:
                foot *= 0.5
                level += 1
                size >>= 1
            texel = (
                offsets[k, level]
                + (int(np.floor(v * size)) & (size - 1)) * size
                + (int(np.floor(u * size)) & (size - 1))
            )
            con = material[o, 1]
            lit = max(0.0, nx * sun[0] + ny * sun[1] + nz * sun[2])
            if lit > 0 and res > 1:
                mx = to_map[0, 0] * px + to_map[0, 1] * py + to_map[0, 2] * pz + to_map[0, 3]
                my = to_map[1, 0] * px + to_map[1, 1] * py + to_map[1, 2] * pz + to_map[1, 3]
                mz = to_map[2, 0] * px + to_map[2, 1] * py + to_map[2, 2] * pz + to_map[2, 3] - bias
                open_share = 0.0
                for tap in range(4):  # of a turned square about the place
                    tx = mx + soft * (0.3 if tap < 2 else -0.3) + soft * (0.8 if tap % 2 else -0.8)
                    ty = my + soft * (0.8 if tap < 2 else -0.8) - soft * (0.3 if tap % 2 else -0.3)
                    if not (0 <= tx < res and 0 <= ty < res) or mz <= shadows[int(ty), int(tx)]:
                        open_share += 0.25
                lit *= open_share
            hemi = 0.5 + 0.5 * (nx * up[0] + ny * up[1] + nz * up[2])
            gloss = 0.0
            if material[o, 8] > 0 and lit > 0:
                q = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
                hx, hy, hz = sun[0] - dx * q, sun[1] - dy * q, sun[2] - q
                hn = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
                g = max(0.0, (nx * hx + ny * hy + nz * hz) * hn)
                g *= g
                g *= g
                g *= g
                g *= g
                gloss = material[o, 8] * g * g
            mirror, mirrored = 0.0, 0.0
            if material[o, 8] > 0:  # sky and ground in a polished face, more of it at grazing angles (Schlick 1994)
                q = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
                along = -facing
                mirrored = q * (dx * up[0] + dy * up[1] + up[2]) + 2 * along * (2 * hemi - 1)
                mirrored = 0.5 + 0.5 * max(-1.0, min(1.0, 4.0 * mirrored))
                graze = (1 - along) * (1 - along)
                mirror = material[o, 8] * (0.06 + 0.94 * graze * graze * (1 - along))
            for ch in range(3):
                t = pyramid[texel, ch] * (1.0 / 255.0)
                t = t * con + (1.0 - con) * 0.6
                albedo = material[o, 2 + ch] * t + material[o, 5 + ch] * (1.0 - t)
                light = sky_rgb[ch] * hemi + ground_rgb[ch] * (1.0 - hemi) + sun_rgb[ch] * lit
                for n in range(lamps.shape[0]):
                    lx, ly, lz = lamps[n, 0] - px, lamps[n, 1] - py, lamps[n, 2] - pz
                    d2 = lx * lx + ly * ly + lz * lz
                    c = max(0.0, (nx * lx + ny * ly + nz * lz) / np.sqrt(d2 + 1e-9))
                    light += lamps[n, 3 + ch] * c / (1.0 + d2 / (lamps[n, 6] * lamps[n, 6]))
                around = 1.5 * (sky_rgb[ch] * mirrored + ground_rgb[ch] * (1 - mirrored))
                lit_up = albedo * (light + material[o, 9])
                out[y, x, ch] = lit_up * (1 - mirror) + mirror * around + gloss * sun_rgb[ch]
    return out


@njit(cache=True)
def shrink(colour, inv_z):
    """Halve both: colour by its mean, inverse depth by the second nearest of four, which keeps thin things and clean edges."""
    h, w = inv_z.shape[0] // 2, inv_z.shape[1] // 2
    small = np.empty((h, w, 3), np.float32)
    depth = np.empty((h, w), np.float32)
    for y in range(h):
        for x in range(w):
            for c in range(3):
                small[y, x, c] = 0.25 * (
                    colour[2 * y, 2 * x, c]
                    + colour[2 * y, 2 * x + 1, c]
                    + colour[2 * y + 1, 2 * x, c]
                    + colour[2 * y + 1, 2 * x + 1, c]
                )
            a, b, c0, d = (
                inv_z[2 * y, 2 * x],
                inv_z[2 * y, 2 * x + 1],
                inv_z[2 * y + 1, 2 * x],
                inv_z[2 * y + 1, 2 * x + 1],
            )
            hi, lo = max(a, b), min(a, b)
            hi2, lo2 = max(c0, d), min(c0, d)
            depth[y, x] = max(min(hi, hi2), max(lo, lo2)) if max(hi, hi2) > 0 else 0.0
    return small, depth
