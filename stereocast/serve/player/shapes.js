// The arrangement of a film's views in its picture, and the surfaces on which they are shown.

import { clamp } from "./maths.js";

export const LAYOUTS = [
  ["auto", "Automatic"], ["mono", "2D"], ["left-right", "Side by side, half"], ["left-right full", "Side by side, full"],
  ["top-bottom", "Top-bottom, half"], ["top-bottom full", "Top-bottom, full"], ["anaglyph", "Anaglyph"],
];
export const PROJECTIONS = [["auto", "Automatic"], ["flat", "Screen"], ["180", "180°"], ["360", "360°"], ["fisheye", "Fisheye"]];

/** The views to show: the film's own, overridden by the viewer's choices for this film. */
export function viewsOf(film, choice = {}) {
  const own = film?.views ?? { layout: "mono" };
  return {
    layout: choice.layout ?? own.layout,
    full: Boolean(choice.layout ? choice.full : own.full),
    swapped: Boolean(choice.swapped ?? own.swapped),
    projection: choice.projection ?? own.projection ?? "flat",
    fov: own.fov_deg || 180,
  };
}

/** Converts the viewer's choice of a layout to a word of LAYOUTS, and back. */
export const layoutWord = (choice) => (choice.layout ? `${choice.layout}${choice.full ? " full" : ""}` : "auto");
export const layoutChoice = (word) => {
  if (word === "auto") return { layout: null, full: null };
  const [layout, size] = word.split(" ");
  return { layout, full: size === "full" };
};

/** Rectangles [x, y, width, height] of the left and the right view in texture coordinates (y down). */
export function parts(views) {
  let pair = [[0, 0, 1, 1], [0, 0, 1, 1]];
  if (views.layout === "left-right") pair = [[0, 0, 0.5, 1], [0.5, 0, 0.5, 1]];
  if (views.layout === "top-bottom") pair = [[0, 0, 1, 0.5], [0, 0.5, 1, 0.5]];
  return views.swapped ? [pair[1], pair[0]] : pair;
}

export const isStereo = (views) => views.layout === "left-right" || views.layout === "top-bottom";

/** The display aspect (width / height) of one view. */
export function aspect(views, width, height) {
  if (!width || !height) return 16 / 9;
  if (!views.full) return width / height;
  if (views.layout === "left-right") return width / 2 / height;
  return views.layout === "top-bottom" ? (2 * width) / height : width / height;
}

const TALLEST = 0.75;  // greatest height of a screen, as a share of the chosen width

/**
 * The screen in metres: part of a cylinder with its middle `distance` away and an angular width of `sizeDeg` (less if it
 * would be taller than 3/4 of that). `curve` is 0 (flat) to 1 (curved around the viewer); `angle` is the angle of its arc.
 */
export function screenOf(ratio, sizeDeg, distance, curve) {
  const widest = 2 * distance * Math.tan((Math.min(sizeDeg, 150) * Math.PI) / 360);
  const seen = 2 * Math.atan(Math.min(widest, TALLEST * widest * ratio) / (2 * distance));
  if (curve < 0.01) {
    const width = 2 * distance * Math.tan(seen / 2);
    return { width, height: width / ratio, distance, curve: 0, radius: Infinity, angle: 0 };
  }
  const radius = distance / curve;
  let low = 0, high = Math.PI * 0.95;
  for (let n = 0; n < 40; n++) {  // find the half arc whose edge appears at half the angular width
    const middle = (low + high) / 2;
    const edge = Math.atan2(radius * Math.sin(middle), distance - radius * (1 - Math.cos(middle)));
    if (edge < seen / 2) low = middle; else high = middle;
  }
  const width = 2 * low * radius;
  return { width, height: width / ratio, distance, curve, radius, angle: 2 * low };
}

function grid(columns, rows, put) {
  const data = [], order = [];
  for (let r = 0; r <= rows; r++) for (let c = 0; c <= columns; c++) {
    const [x, y, z, u = c / columns, v = r / rows] = put(c / columns, r / rows);
    data.push(x, y, z, u, v);
  }
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
    const a = r * (columns + 1) + c, b = a + columns + 1;
    order.push(a, b, a + 1, a + 1, b, b + 1);
  }
  return { data: new Float32Array(data), order: new Uint16Array(order) };
}

export const FAR = 20;  // metres to the surfaces all around

const onSphere = (lon, lat) => [FAR * Math.cos(lat) * Math.sin(lon), FAR * Math.sin(lat), -FAR * Math.cos(lat) * Math.cos(lon)];

/** The mesh of a screen from `screenOf`, with its middle straight ahead at its distance. */
export function screenMesh(screen) {
  const { width, height, distance, radius, angle } = screen;
  if (!angle) return grid(1, 1, (u, v) => [(u - 0.5) * width, (0.5 - v) * height, -distance]);
  const behind = radius - distance;
  return grid(64, 1, (u, v) => [radius * Math.sin((u - 0.5) * angle), (0.5 - v) * height, behind - radius * Math.cos((u - 0.5) * angle)]);
}

/** The surfaces all around: 180 and 360 (equirectangular), fisheye (equidistant, `fov` degrees). */
export function sphereMesh(projection, fov = 180) {
  if (projection === "360") return grid(128, 64, (u, v) => onSphere((u - 0.5) * 2 * Math.PI, (0.5 - v) * Math.PI));
  if (projection === "180") return grid(64, 64, (u, v) => onSphere((u - 0.5) * Math.PI, (0.5 - v) * Math.PI));
  const widest = (fov * Math.PI) / 360;
  return grid(96, 48, (u, v) => {  // rings around the axis ahead
    const around = u * 2 * Math.PI, off = v * widest, r = v / 2;
    const [x, y] = [Math.cos(around), Math.sin(around)];
    return [FAR * Math.sin(off) * x, FAR * Math.sin(off) * y, -FAR * Math.cos(off), 0.5 + r * x, 0.5 - r * y];
  });
}

/** Part of a cylinder of `radius` around the origin, straight ahead, `width` metres along its arc. */
export function bentMesh(width, height, radius) {
  const angle = width / radius;
  return grid(48, 1, (u, v) => [radius * Math.sin((u - 0.5) * angle), (0.5 - v) * height, -radius * Math.cos((u - 0.5) * angle)]);
}

/** A flat rectangle around the origin, facing the viewer. */
export const flatMesh = (width = 1, height = 1) => grid(1, 1, (u, v) => [(u - 0.5) * width, (0.5 - v) * height, 0]);

/** A ball of radius 1. */
export const ballMesh = () => grid(12, 8, (u, v) => {
  const lon = u * 2 * Math.PI, lat = (0.5 - v) * Math.PI;
  return [Math.cos(lat) * Math.sin(lon), Math.sin(lat), Math.cos(lat) * Math.cos(lon)];
});

/** A rod of length 1 along -z, radius 1 at its start, thinner at its end. */
export const rodMesh = (end = 0.8) => grid(12, 1, (u, v) => {
  const r = 1 - v * (1 - end);
  return [r * Math.cos(u * 2 * Math.PI), r * Math.sin(u * 2 * Math.PI), -v];
});

/** The distance in metres at which disparity `part` (share of the view's width, positive in front) appears. */
export function depthOf(part, views, screen, eyes = 0.063) {
  if (views.projection === "flat") return screen.distance * clamp(eyes / Math.max(1e-4, eyes + part * screen.width), 0.1, 10);
  const span = ((views.projection === "360" ? 360 : views.projection === "180" ? 180 : views.fov) * Math.PI) / 180;
  return part <= 0 ? 10 : clamp(eyes / (part * span), 0.3, 10);
}
