// Times, badges and other texts shared by page and headset.

export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds || 0)), parts = [Math.floor(s / 60) % 60, s % 60];
  if (s >= 3600) parts.unshift(Math.floor(s / 3600));
  return parts.map((n, i) => (i ? String(n).padStart(2, "0") : n)).join(":");
}

/** The share of a film that has been watched, 0 to 1. */
export function progress(film) {
  const { position_s: seconds = 0, seen } = film.memory ?? {};
  return seen ? 1 : film.duration_s ? Math.min(1, seconds / film.duration_s) : 0;
}

export function badge(film) {
  const views = film.views ?? {}, around = { 180: "180°", 360: "360°", fisheye: "Fisheye" }[views.projection] ?? "";
  const depth = { "left-right": "3D", "top-bottom": "3D", anaglyph: "Anaglyph" }[views.layout] ?? "";
  if (film.live) return ["Live 3D", around].filter(Boolean).join(" ");
  return [depth, around].filter(Boolean).join(" ");
}

export function about(film) {
  const views = film.views ?? {};
  const lie = { "left-right": "side by side", "top-bottom": "top-bottom" }[views.layout];
  const size = film.width ? `${film.width}×${film.height}` : "";
  return [film.kind === "picture" ? "Picture" : film.duration_s ? clock(film.duration_s) : "", size, lie].filter(Boolean).join(" · ");
}

export const nameOf = (film) => film?.name || film?.title || "";
export const percent = (value) => `${Math.round(100 * value)} %`;
export const degrees = (value) => `${Math.round(value)}°`;
export const metres = (value) => `${value.toFixed(1)} m`;
export const signed = (value, digits = 1, unit = "") => `${value > 0 ? "+" : ""}${value.toFixed(digits)}${unit}`;

/** The name of a subtitle or sound track: its language, otherwise its title or number. */
export function trackName(track) {
  let language = "";
  try { language = track.language && track.language !== "und" ? new Intl.DisplayNames(["en"], { type: "language" }).of(track.language) : ""; } catch { language = track.language; }
  const own = track.title ?? (/\.(srt|vtt|ass|ssa)$/i.test(track.name ?? "") ? "" : track.name);
  return [language, own === track.language ? "" : own, track.forced ? "forced" : ""].filter(Boolean).join(", ") || track.name || `Track ${track.number + 1}`;
}
