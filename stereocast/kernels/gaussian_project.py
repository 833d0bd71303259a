"""Gaussians to the image plane and back: projection, colour from spherical harmonics, and their gradients.

Compiled equations of 3D Gaussian splatting (Kerbl et al. 2023, sec. 4; EWA splatting, Zwicker et al. 2001) in gsplat's
conventions: OpenCV camera, pixel centres at .5, quaternions wxyz of any length, linear scales. These kernels process
Gaussians one by one and know no tiles or pixels.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from stereocast.types import Array

jit: Any = njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")

CUTOFF = 1 / 255  # a contribution below this is skipped


@jit
def _rotation(q: Array, r: Array) -> float:
    """Fills r [3, 3] from the quaternion q [4] and returns the quaternion's length."""
    length = math.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2 + q[3] ** 2)
    length = max(length, 1e-12)
    w, x, y, z = q[0] / length, q[1] / length, q[2] / length, q[3] / length
    r[0, 0], r[0, 1], r[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    r[1, 0], r[1, 1], r[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    r[2, 0], r[2, 1], r[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return length


@jit
def _rotation_back(q: Array, length: float, g: Array, out: Array) -> None:
    """Adds the quaternion's gradient to out [4], given that of its rotation matrix, g [3, 3]."""
    w, x, y, z = q[0] / length, q[1] / length, q[2] / length, q[3] / length
    dw = 2 * (x * (g[2, 1] - g[1, 2]) + y * (g[0, 2] - g[2, 0]) + z * (g[1, 0] - g[0, 1]))
    dx = 2 * (
        -2 * x * (g[1, 1] + g[2, 2]) + y * (g[0, 1] + g[1, 0]) + z * (g[0, 2] + g[2, 0]) + w * (g[2, 1] - g[1, 2])
    )
    dy = 2 * (x * (g[0, 1] + g[1, 0]) - 2 * y * (g[0, 0] + g[2, 2]) + z * (g[1, 2] + g[2, 1]) + w * (g[0, 2] - g[2, 0]))
    dz = 2 * (x * (g[0, 2] + g[2, 0]) + y * (g[1, 2] + g[2, 1]) - 2 * z * (g[0, 0] + g[1, 1]) + w * (g[1, 0] - g[0, 1]))
    along = dw * w + dx * x + dy * y + dz * z  # length has no effect, so there is no gradient along the quaternion
    out[0] += (dw - along * w) / length
    out[1] += (dx - along * x) / length
    out[2] += (dy - along * y) / length
    out[3] += (dz - along * z) / length


@jit
def _bounded(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@jit
def _plane_rows(mean: Array, view: Array, k: Array, width: int, height: int, p: Array, t: Array) -> None:
    """Fills p = (x, y, z, rx, ry, inside_x, inside_y) in camera space and t [2, 3], the affine map world -> pixels."""
    for i in range(3):
        p[i] = view[i, 0] * mean[0] + view[i, 1] * mean[1] + view[i, 2] * mean[2] + view[i, 3]
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    z = p[2]
    side_x, side_y = 0.15 * width / fx, 0.15 * height / fy
    rx, ry = p[0] / z, p[1] / z
    p[3] = _bounded(rx, -cx / fx - side_x, (width - cx) / fx + side_x)
    p[4] = _bounded(ry, -cy / fy - side_y, (height - cy) / fy + side_y)
    p[5] = 1.0 if p[3] == rx else 0.0
    p[6] = 1.0 if p[4] == ry else 0.0
    for i in range(3):
        t[0, i] = fx / z * (view[0, i] - p[3] * view[2, i])
        t[1, i] = fy / z * (view[1, i] - p[4] * view[2, i])


@jit
def _footprint(t: Array, r: Array, scale: Array, m: Array, a: Array) -> tuple[float, float, float]:
    """Fills m = R S and a = T R S [2, 3]; returns the 2D covariance xx, xy, yy = A Aᵀ without blur."""
    for i in range(3):
        for j in range(3):
            m[i, j] = r[i, j] * scale[j]
    for i in range(2):
        for j in range(3):
            a[i, j] = t[i, 0] * m[0, j] + t[i, 1] * m[1, j] + t[i, 2] * m[2, j]
    xx = a[0, 0] ** 2 + a[0, 1] ** 2 + a[0, 2] ** 2
    xy = a[0, 0] * a[1, 0] + a[0, 1] * a[1, 1] + a[0, 2] * a[1, 2]
    yy = a[1, 0] ** 2 + a[1, 1] ** 2 + a[1, 2] ** 2
    return xx, xy, yy


@jit
def project(
    first: int, end: int,
    means: Array, quats: Array, scales: Array, opacities: Array,
    view: Array, k: Array, width: int, height: int, near: float, far: float, blur: float, antialiased: bool,
    centre: Array, shape: Array, depths: Array, radii: Array,
) -> None:  # fmt: skip
    """Projects Gaussians first..end.

    Fills centre float64 [N, 2] in pixels; shape float32 [N, 6] = conic xx, xy, yy, opacity in the image, largest
    visible exponent, half height in pixels; depths [N]; radii int32 [N, 2], (0, 0) outside the picture.
    """
    p, t, r = np.empty(7), np.empty((2, 3)), np.empty((3, 3))
    x, q, s = np.empty(3), np.empty(4), np.empty(3)  # one Gaussian, in double precision
    m, a = np.empty((3, 3)), np.empty((2, 3))
    for n in range(first, end):
        radii[n, 0] = radii[n, 1] = 0
        x[:], q[:], s[:] = means[n], quats[n], scales[n]
        _plane_rows(x, view, k, width, height, p, t)
        z = p[2]
        depths[n] = z
        if not (near < z < far):
            centre[n, 0] = centre[n, 1] = 0.0
            shape[n, :] = 0
            continue
        _rotation(q, r)
        xx, xy, yy = _footprint(t, r, s, m, a)
        plain = xx * yy - xy * xy
        xx += blur
        yy += blur
        det = max(xx * yy - xy * xy, 1e-10)
        opacity = float(opacities[n])
        if antialiased:
            opacity *= math.sqrt(max(plain / det, 0.0))
        centre[n, 0] = k[0, 0] * p[0] / z + k[0, 2]
        centre[n, 1] = k[1, 1] * p[1] / z + k[1, 2]
        reach = math.log(opacity / CUTOFF) if opacity > CUTOFF else -1.0
        shape[n, 0], shape[n, 1], shape[n, 2] = yy / det, -xy / det, xx / det
        shape[n, 3], shape[n, 4], shape[n, 5] = opacity, reach, math.sqrt(2 * max(reach, 0.0) * yy)
        rx, ry = math.ceil(3.33 * math.sqrt(xx)), math.ceil(3.33 * math.sqrt(yy))
        u, v = centre[n, 0], centre[n, 1]
        if u + rx > 0 and u - rx < width and v + ry > 0 and v - ry < height:
            radii[n, 0], radii[n, 1] = rx, ry


@jit
def project_back(
    first: int, end: int,
    means: Array, quats: Array, scales: Array, opacities: Array,
    view: Array, k: Array, width: int, height: int, blur: float, antialiased: bool, radii: Array,
    grad: Array, g_means: Array, g_quats: Array, g_scales: Array, g_opacities: Array,
) -> None:  # fmt: skip
    """Adds the gradients of means, quats, scales and opacities.

    grad [N, 7] holds the gradients of u, v, conic xx, xy, yy, opacity in the image, depth.
    """
    p, t, r = np.empty(7), np.empty((2, 3)), np.empty((3, 3))
    x, q, s = np.empty(3), np.empty(4), np.empty(3)  # one Gaussian, in double precision
    m, a = np.empty((3, 3)), np.empty((2, 3))
    da, dt, dr = np.empty((2, 3)), np.empty((2, 3)), np.empty((3, 3))
    fx, fy = k[0, 0], k[1, 1]
    for n in range(first, end):
        if radii[n, 0] == 0:
            continue
        x[:], q[:], s[:] = means[n], quats[n], scales[n]
        _plane_rows(x, view, k, width, height, p, t)
        length = _rotation(q, r)
        xx, xy, yy = _footprint(t, r, s, m, a)
        plain = xx * yy - xy * xy
        bx, by = xx + blur, yy + blur
        det = max(bx * by - xy * xy, 1e-10)
        # the conic is the covariance's inverse: dΣ = -X G X
        c0, c1, c2 = by / det, -xy / det, bx / det
        g0, g1, g2 = grad[n, 2], 0.5 * grad[n, 3], grad[n, 4]
        h00, h01 = c0 * g0 + c1 * g1, c0 * g1 + c1 * g2
        h10, h11 = c1 * g0 + c2 * g1, c1 * g1 + c2 * g2
        gxx = -(h00 * c0 + h01 * c1)
        gxy = -(h00 * c1 + h01 * c2 + h10 * c0 + h11 * c1)  # both off-diagonal entries
        gyy = -(h10 * c1 + h11 * c2)
        g_opacity = grad[n, 5]
        if antialiased:
            keep = math.sqrt(max(plain / det, 0.0))
            if keep > 0:
                g_ratio = g_opacity * opacities[n] / (2 * keep)
                ratio = plain / det
                gxx += g_ratio * (yy - ratio * by) / det
                gyy += g_ratio * (xx - ratio * bx) / det
                gxy += g_ratio * (-2 * xy + 2 * ratio * xy) / det
            g_opacity *= keep
        g_opacities[n] += g_opacity
        for j in range(3):
            da[0, j] = 2 * gxx * a[0, j] + gxy * a[1, j]
            da[1, j] = 2 * gyy * a[1, j] + gxy * a[0, j]
        for i in range(2):
            for j in range(3):
                dt[i, j] = da[i, 0] * m[j, 0] + da[i, 1] * m[j, 1] + da[i, 2] * m[j, 2]
        for i in range(3):
            for j in range(3):
                dm = t[0, i] * da[0, j] + t[1, i] * da[1, j]
                g_scales[n, j] += dm * r[i, j]
                dr[i, j] = dm * s[j]
        _rotation_back(q, length, dr, g_quats[n])
        # t = f / z * (view row - ratio * view z row)
        z = p[2]
        sx, sy, px, py = 0.0, 0.0, 0.0, 0.0
        for i in range(3):
            sx += dt[0, i] * t[0, i]
            sy += dt[1, i] * t[1, i]
            px -= dt[0, i] * view[2, i]
            py -= dt[1, i] * view[2, i]
        px, py = px * fx / z * p[5], py * fy / z * p[6]
        gx, gy = (grad[n, 0] * fx + px) / z, (grad[n, 1] * fy + py) / z  # everything that acts through x / z and y / z
        gz = grad[n, 6] - (sx + sy) / z - (gx * p[0] + gy * p[1]) / z
        for i in range(3):
            g_means[n, i] += gx * view[0, i] + gy * view[1, i] + gz * view[2, i]


@jit
def _basis(degree: int, x: float, y: float, z: float, b: Array) -> None:
    """Real spherical harmonics b [16] of a unit direction (Sloan 2013), signs as in the splatting papers."""
    b[0] = 0.2820947917738781
    if degree < 1:
        return
    b[1], b[2], b[3] = -0.48860251190292 * y, 0.48860251190292 * z, -0.48860251190292 * x
    if degree < 2:
        return
    b[4], b[5] = 1.092548430592079 * x * y, -1.092548430592079 * y * z
    b[6] = 0.9461746957575601 * z * z - 0.3153915652525201
    b[7], b[8] = -1.092548430592079 * x * z, 0.5462742152960395 * (x * x - y * y)
    if degree < 3:
        return
    c = -2.285228997322329 * z * z + 0.4570457994644658
    b[9], b[10], b[11] = -0.5900435899266435 * y * (3 * x * x - y * y), 2.890611442640554 * x * y * z, c * y
    b[12] = z * (1.865881662950577 * z * z - 1.119528997770346)
    b[13], b[14] = c * x, 1.445305721320277 * z * (x * x - y * y)
    b[15] = -0.5900435899266435 * x * (x * x - 3 * y * y)


@jit
def _basis_back(degree: int, x: float, y: float, z: float, g: Array) -> tuple[float, float, float]:
    """The gradient of the direction, given that of the basis, g [16]."""
    gx = gy = gz = 0.0
    if degree >= 1:
        gy -= 0.48860251190292 * g[1]
        gz += 0.48860251190292 * g[2]
        gx -= 0.48860251190292 * g[3]
    if degree >= 2:
        c = 1.092548430592079
        gx += c * (y * g[4] - z * g[7] + x * g[8])
        gy += c * (x * g[4] - z * g[5] - y * g[8])
        gz += c * (-y * g[5] - x * g[7]) + 2 * 0.9461746957575601 * z * g[6]
    if degree >= 3:
        c = -2.285228997322329 * z * z + 0.4570457994644658
        d = -2 * 2.285228997322329 * z
        e = 0.5900435899266435
        gx += -e * 6 * x * y * g[9] + 2.890611442640554 * y * z * g[10] + c * g[13]
        gx += 2 * 1.445305721320277 * z * x * g[14] - e * 3 * (x * x - y * y) * g[15]
        gy += -e * 3 * (x * x - y * y) * g[9] + 2.890611442640554 * x * z * g[10] + c * g[11]
        gy += -2 * 1.445305721320277 * z * y * g[14] + e * 6 * x * y * g[15]
        gz += (
            2.890611442640554 * x * y * g[10]
            + d * y * g[11]
            + (3 * 1.865881662950577 * z * z - 1.119528997770346) * g[12]
        )
        gz += d * x * g[13] + 1.445305721320277 * (x * x - y * y) * g[14]
    return gx, gy, gz


@jit
def shade(first: int, end: int, means: Array, sh: Array, degree: int, eye: Array, radii: Array, colours: Array) -> None:
    """Fills colours float32 [N, 3] = max(Σ sh·basis + 1/2, 0) for sh [N, K, 3], seen from eye [3]."""
    b = np.empty(16)
    count = (degree + 1) ** 2
    for n in range(first, end):
        if radii[n, 0] == 0:
            continue
        x, y, z = means[n, 0] - eye[0], means[n, 1] - eye[1], means[n, 2] - eye[2]
        length = max(math.sqrt(x * x + y * y + z * z), 1e-12)
        _basis(degree, x / length, y / length, z / length, b)
        for c in range(3):
            value = 0.5
            for i in range(count):
                value += b[i] * sh[n, i, c]
            colours[n, c] = max(value, 0.0)


@jit
def shade_back(
    first: int, end: int, means: Array, sh: Array, degree: int, eye: Array, radii: Array, colours: Array,
    grad: Array, g_means: Array, g_sh: Array,
) -> None:  # fmt: skip
    """Adds the gradients of sh and of means (through the direction), given that of the colours, grad [N, 3]."""
    b, g = np.empty(16), np.empty(16)
    count = (degree + 1) ** 2
    for n in range(first, end):
        if radii[n, 0] == 0:
            continue
        x, y, z = means[n, 0] - eye[0], means[n, 1] - eye[1], means[n, 2] - eye[2]
        length = max(math.sqrt(x * x + y * y + z * z), 1e-12)
        x, y, z = x / length, y / length, z / length
        _basis(degree, x, y, z, b)
        g[:] = 0
        for c in range(3):
            if colours[n, c] <= 0:
                continue
            for i in range(count):
                g_sh[n, i, c] += grad[n, c] * b[i]
                g[i] += grad[n, c] * sh[n, i, c]
        if degree > 0:
            gx, gy, gz = _basis_back(degree, x, y, z, g)
            along = gx * x + gy * y + gz * z
            g_means[n, 0] += (gx - along * x) / length
            g_means[n, 1] += (gy - along * y) / length
            g_means[n, 2] += (gz - along * z) / length
