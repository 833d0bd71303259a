// Matrices (column-major, 16 numbers), vectors [x, y, z] and angles in radians, as needed for the headset's view.

export const IDENTITY = new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const times = (a, k) => [a[0] * k, a[1] * k, a[2] * k];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const length = (a) => Math.hypot(a[0], a[1], a[2]);
export const unit = (a) => times(a, 1 / (length(a) || 1));

export function multiply(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += a[4 * k + r] * b[4 * c + k];
    out[4 * c + r] = sum;
  }
  return out;
}

/** The product of matrices; the last one is applied first. */
export const chain = (...all) => all.reduce(multiply);

export const moved = (x, y, z) => new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, y, z, 1]);
export const scaled = (x, y = x, z = x) => new Float32Array([x, 0, 0, 0, 0, y, 0, 0, 0, 0, z, 0, 0, 0, 0, 1]);

/** A turn to the left by `angle`, seen from above. */
export function yawed(angle) {
  const c = Math.cos(angle), s = Math.sin(angle);
  return new Float32Array([c, 0, -s, 0, 0, 1, 0, 0, s, 0, c, 0, 0, 0, 0, 1]);
}

/** A turn upwards by `angle`. */
export function pitched(angle) {
  const c = Math.cos(angle), s = Math.sin(angle);
  return new Float32Array([1, 0, 0, 0, 0, c, s, 0, 0, -s, c, 0, 0, 0, 0, 1]);
}

/** The inverse of a rigid transform. */
export function inverse(m) {
  const out = new Float32Array(16);
  for (let c = 0; c < 3; c++) for (let r = 0; r < 3; r++) out[4 * c + r] = m[4 * r + c];
  for (let r = 0; r < 3; r++) out[12 + r] = -(out[r] * m[12] + out[4 + r] * m[13] + out[8 + r] * m[14]);
  out[15] = 1;
  return out;
}

export const turn = (m, v) => [0, 1, 2].map((r) => m[r] * v[0] + m[4 + r] * v[1] + m[8 + r] * v[2]);
export const place = (m, v) => add(turn(m, v), [m[12], m[13], m[14]]);
export const origin = (m) => [m[12], m[13], m[14]];
export const forward = (m) => [-m[8], -m[9], -m[10]];

/** The rotation of a matrix as a quaternion {x, y, z, w}. */
export function quaternion(m) {
  const [a, b, c] = [m[0], m[5], m[10]];
  const w = Math.sqrt(Math.max(0, 1 + a + b + c)) / 2;
  const x = (Math.sqrt(Math.max(0, 1 + a - b - c)) / 2) * (m[6] < m[9] ? -1 : 1);
  const y = (Math.sqrt(Math.max(0, 1 - a + b - c)) / 2) * (m[8] < m[2] ? -1 : 1);
  const z = (Math.sqrt(Math.max(0, 1 - a - b + c)) / 2) * (m[1] < m[4] ? -1 : 1);
  const by = 1 / (Math.hypot(x, y, z, w) || 1);
  return { x: x * by, y: y * by, z: z * by, w: w * by };
}

/** An upright frame at `at` that looks along `direction`; straight up or down it keeps the yaw `fallback`. */
export function facing(at, direction, withPitch, fallback = 0) {
  const level = Math.hypot(direction[0], direction[2]);
  const yaw = level > 0.05 ? Math.atan2(-direction[0], -direction[2]) : fallback;
  const pitch = withPitch ? Math.atan2(direction[1], level) : 0;
  return chain(moved(...at), yawed(yaw), pitched(pitch));
}

/** Where a ray meets a cylinder of `radius` around the frame's upright axis, from inside: [angle to the right, height] or null. */
export function meetCylinder(frame, radius, from, along) {
  const back = inverse(frame), o = place(back, from), d = turn(back, along);
  const a = d[0] * d[0] + d[2] * d[2], b = 2 * (o[0] * d[0] + o[2] * d[2]), c = o[0] * o[0] + o[2] * o[2] - radius * radius;
  const root = b * b - 4 * a * c;
  if (root < 0 || a < 1e-9) return null;
  const t = (-b + Math.sqrt(root)) / (2 * a);
  if (t <= 0) return null;
  const hit = add(o, times(d, t));
  return { angle: Math.atan2(hit[0], -hit[2]), height: hit[1], distance: t * length(d) };
}
