// Measures the film's disparity by block matching of its two small views, a few times per second, for subtitles and the depth setting.

import { parts } from "./shapes.js";

const WIDE = 256, HIGH = 72, REACH = 22, BLOCK = 4;
export const COLUMNS = 48, ROWS = 27;

/** Disparity x_left - x_right in pixels at (x, y) between the views; NaN where it is unclear. */
export function match(left, right, x, y, wide = WIDE, high = HIGH) {
  const costs = [];
  let sum = 0, square = 0, count = 0, best = Infinity, at = 0;
  for (let v = -BLOCK; v <= BLOCK; v += 2) for (let u = -BLOCK; u <= BLOCK; u++) {
    const row = Math.min(high - 1, Math.max(0, y + v)), value = left[row * wide + Math.min(wide - 1, Math.max(0, x + u))];
    sum += value; square += value * value; count++;
  }
  if (square / count - (sum / count) ** 2 < 12) return NaN;
  for (let d = -REACH; d <= REACH; d++) {
    let cost = 0.02 * Math.abs(d) * count;
    for (let v = -BLOCK; v <= BLOCK; v += 2) {
      const row = Math.min(high - 1, Math.max(0, y + v)) * wide;
      for (let u = -BLOCK; u <= BLOCK; u++) {
        const a = x + u + Math.floor(d / 2), b = a - d;
        cost += a < 0 || a >= wide || b < 0 || b >= wide ? 60 : Math.abs(left[row + a] - right[row + b]);
      }
    }
    costs.push(cost);
    if (cost < best) { best = cost; at = d; }
  }
  if (best > 22 * count) return NaN;  // hidden in one view
  // repeated structures, such as fences, match at several places: ignore them
  const rival = Math.min(...costs.filter((_, other) => Math.abs(other - REACH - at) > 2));
  if (rival < 1.25 * best + 2 * count) return NaN;
  const n = at + REACH;
  if (n === 0 || n === costs.length - 1) return at;
  const bend = costs[n - 1] - 2 * costs[n] + costs[n + 1];
  return bend > 0 ? at + (costs[n - 1] - costs[n + 1]) / (2 * bend) : at;
}

export class Disparity {
  constructor(stereo) { this.stereo = stereo; }

  /** The nearest disparity in a part of the view (x0, y0, x1, y1 in 0..1), as a share of its width; null if unknown. */
  near(source, views, [x0, y0, x1, y1] = [0.15, 0.6, 0.85, 1]) {
    const pair = this.stereo.small(source, parts(views), WIDE, HIGH);
    if (!pair) return null;
    const found = [];
    for (let j = 0; j < 8; j++) for (let i = 0; i < 28; i++) {
      const d = match(...pair, Math.round((x0 + ((i + 0.5) / 28) * (x1 - x0)) * WIDE), Math.round((y0 + ((j + 0.5) / 8) * (y1 - y0)) * HIGH));
      if (!Number.isNaN(d)) found.push(d);
    }
    if (found.length < 5) return null;
    found.sort((a, b) => a - b);
    return found[Math.floor(0.93 * (found.length - 1))] / WIDE;
  }

  /** The disparity of the whole view for `Stereo.setRelief`; null if there is no picture. */
  map(source, views) {
    const pair = this.stereo.small(source, parts(views), WIDE, HIGH);
    if (!pair) return null;
    const values = new Float32Array(COLUMNS * ROWS);
    for (let j = 0; j < ROWS; j++) for (let i = 0; i < COLUMNS; i++) {
      values[j * COLUMNS + i] = match(...pair, Math.round(((i + 0.5) / COLUMNS) * WIDE), Math.round(((j + 0.5) / ROWS) * HIGH));
    }
    fill(values);
    const calm = smooth(this.last ? values.map((value, n) => 0.6 * value + 0.4 * this.last[n]) : values);
    this.last = calm;
    return { columns: COLUMNS, rows: ROWS, bytes: Uint8Array.from(calm, (d) => Math.min(255, Math.max(0, Math.round(128 + (d / WIDE) * 4 * 127.5)))) };
  }
}

/** Fills gaps with the farther of their neighbours in the row, because hidden areas are background. */
function fill(values) {
  for (let j = 0; j < ROWS; j++) {
    const row = values.subarray(j * COLUMNS, (j + 1) * COLUMNS), before = [], after = [];
    let last = NaN;
    row.forEach((value, i) => { if (!Number.isNaN(value)) last = value; before[i] = last; });
    last = NaN;
    for (let i = COLUMNS - 1; i >= 0; i--) { if (!Number.isNaN(row[i])) last = row[i]; after[i] = last; }
    row.forEach((value, i) => { if (Number.isNaN(value)) { const both = [before[i], after[i]].filter((d) => !Number.isNaN(d)); row[i] = both.length ? Math.min(...both) : 0; } });
  }
}

function smooth(values) {
  return values.map((_, n) => {
    const i = n % COLUMNS, j = Math.floor(n / COLUMNS), around = [];
    for (let v = -1; v <= 1; v++) for (let u = -1; u <= 1; u++) {
      around.push(values[Math.min(ROWS - 1, Math.max(0, j + v)) * COLUMNS + Math.min(COLUMNS - 1, Math.max(0, i + u))]);
    }
    around.sort((a, b) => a - b);
    return (around[3] + around[4] + around[5]) / 3;
  });
}
