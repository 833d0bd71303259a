// The pages of the panel: for each, a list of widgets with places in pixels. Pure data except for their actions.

import { LIMITS } from "./player.js";
import { LAYOUTS, layoutChoice, layoutWord, PROJECTIONS } from "./shapes.js";
import { Subtitles } from "./subtitles.js";
import { badge, clock, degrees, metres, nameOf, percent, signed, trackName } from "./words.js";

export const WIDE = 1600, HIGH = 1100, DOCK = 640;  // the dock is below y = DOCK, the sheet above
const EDGE = 40;

export const TABS = [["library", "Library", "library"], ["screen", "Screen", "screen"], ["picture", "Picture", "picture"], ["text", "Subtitles", "text"], ["sound", "Sound", "track"]];

function slider(id, label, x, y, w, value, [low, high], shown, set) {
  return { id, kind: "slider", x, y, w, h: 92, label, shown, value: (value - low) / (high - low), set: (part) => set(low + part * (high - low)) };
}

/** A slider for one of the player's numbers. */
const setting = (player, name, label, x, y, w, show) =>
  slider(name, label, x, y, w, player.settings[name], LIMITS[name], show(player.settings[name]), (value) => player.set(name, value));

/** A group of buttons, one of them chosen, in rows `w` wide. */
function chips(id, choices, chosen, x, y, w, pick, { columns = choices.length, h = 76 } = {}) {
  const gap = 14, each = (w - gap * (columns - 1)) / columns;
  return choices.map(([value, text, off], n) => ({
    id: `${id}:${value}`, kind: "button", x: x + (n % columns) * (each + gap), y: y + Math.floor(n / columns) * (h + gap), w: each, h,
    text, on: value === chosen, disabled: Boolean(off), act: () => pick(value),
  }));
}

const heading = (text, x, y) => ({ kind: "label", x, y, text });

/** Title, seek bar, transport and tabs, which are always shown. */
export function dock(panel) {
  const { player, headset } = panel, { film } = player, y = DOCK;
  const still = player.isPicture, low = y + 218;
  const out = [
    { kind: "title", x: EDGE, y: y + 24, w: 1250, text: nameOf(film), badge: film ? badge(film) : "" },
    { id: "close", kind: "button", x: WIDE - EDGE - 76, y: y + 20, w: 76, h: 76, icon: "close", act: () => panel.hide() },
    { id: "previous", kind: "button", x: EDGE, y: low, w: 100, h: 100, icon: "previous", disabled: !player.before, act: () => player.step(-1) },
    { id: "next", kind: "button", x: EDGE + 508, y: low, w: 100, h: 100, icon: "next", disabled: !player.after, act: () => player.step(1) },
    { id: "mute", kind: "button", x: 672, y: low, w: 100, h: 100, icon: player.settings.muted ? "mute" : "sound", on: player.settings.muted, act: () => player.set("muted", !player.settings.muted) },
    { ...slider("volume", "", 788, low, 230, player.settings.muted ? 0 : player.settings.volume, LIMITS.volume, percent(player.settings.volume), (value) => player.set("volume", value)), h: 100 },
    { id: "recenter", kind: "button", x: 1052, y: low, w: 246, h: 100, icon: "center", text: "Recenter", act: () => headset.recenter() },
    { id: "leave", kind: "button", x: 1312, y: low, w: WIDE - EDGE - 1312, h: 100, icon: "back", text: "Leave VR", act: () => headset.leave() },
  ];
  if (!still) out.push(
    { id: "seek", kind: "seek", x: EDGE, y: y + 112, w: WIDE - 2 * EDGE, h: 90, value: player.duration ? player.position / player.duration : 0, left: clock(player.position), right: clock(player.duration) },
    { id: "rewind", kind: "button", x: EDGE + 116, y: low, w: 100, h: 100, icon: "rewind", text: "", act: () => player.seekBy(-10) },
    { id: "play", kind: "button", x: EDGE + 232, y: low - 8, w: 144, h: 116, icon: player.paused ? "play" : "pause", primary: true, act: () => player.toggle() },
    { id: "forward", kind: "button", x: EDGE + 392, y: low, w: 100, h: 100, icon: "forward", text: "", act: () => player.seekBy(10) },
  );
  const each = (WIDE - 2 * EDGE - 4 * 14) / 5;
  TABS.forEach(([name, text, icon], n) => out.push({
    id: `tab:${name}`, kind: "button", x: EDGE + n * (each + 14), y: y + 346, w: each, h: 88, icon, text, on: panel.page === name,
    act: () => panel.turn(panel.page === name ? "" : name),
  }));
  return out;
}

const COLUMNS = 5, ROWS = 2;
export const SHOWN = COLUMNS * ROWS;

function library(panel) {
  const { browse } = panel, most = Math.max(1, Math.ceil(browse.count / SHOWN));
  const out = [
    ...chips("list", [["all", "All"], ["watching", "Continue"], ["added", "Newest"], ["folders", "Folders"]], browse.mode, EDGE, 24, 880, (mode) => browse.show(mode), { h: 70 }),
    { id: "page:-", kind: "button", x: 1180, y: 24, w: 90, h: 70, icon: "previous", disabled: browse.page === 0, act: () => browse.turn(-1) },
    { kind: "middle", x: 1375, y: 70, text: `${browse.page + 1} / ${most}` },
    { id: "page:+", kind: "button", x: 1470, y: 24, w: 90, h: 70, icon: "next", disabled: browse.page + 1 >= most, act: () => browse.turn(1) },
  ];
  const w = (WIDE - 2 * EDGE - (COLUMNS - 1) * 18) / COLUMNS, h = 240;
  browse.items.forEach((item, n) => out.push({
    id: item.path !== undefined && !item.id ? `folder:${item.path}` : `film:${item.id}`, kind: "card", item,
    x: EDGE + (n % COLUMNS) * (w + 18), y: 112 + Math.floor(n / COLUMNS) * (h + 16), w, h, on: item.id === panel.player.film?.id,
    act: () => browse.open(item, n),
  }));
  if (!browse.items.length) out.push({ kind: "middle", x: WIDE / 2, y: 340, text: browse.state });
  return out;
}

function screen(panel) {
  const { player, headset } = panel, { settings } = player, w = 730, right = EDGE + w + 60;
  const rooms = [["black", "Black"], ["dim", "Dim room"], ["passthrough", "Passthrough", !headset.canPass]];
  return [
    setting(player, "size", "Size", EDGE, 24, w, degrees), setting(player, "distance", "Distance", EDGE, 136, w, metres),
    setting(player, "height", "Height", EDGE, 248, w, (value) => signed(value, 1, " m")), setting(player, "tilt", "Tilt", EDGE, 360, w, (value) => signed(value, 0, "°")),
    setting(player, "curve", "Curvature", EDGE, 472, w, percent),
    heading("Room", right, 40), ...chips("room", rooms, headset.room, right, 66, w, (room) => headset.setRoom(room)),
    setting(player, "light", "Room light", right, 176, w, percent),
    { id: "lying", kind: "button", x: right, y: 300, w: 358, h: 88, icon: "lying", text: "Lying down", on: settings.lying, act: () => headset.lie(!settings.lying) },
    { id: "here", kind: "button", x: right + 372, y: 300, w: 358, h: 88, icon: "center", text: "Recenter", act: () => headset.recenter() },
    { id: "usual", kind: "button", x: right, y: 404, w: 730, h: 88, text: "Reset screen", act: () => { for (const [name, value] of [["size", 60], ["distance", 3], ["height", 0], ["tilt", 0], ["curve", 0.3]]) player.set(name, value); } },
  ];
}

function picture(panel) {
  const { player } = panel, { choice, look, views } = player, w = 1520;
  return [
    heading("View layout of this film", EDGE, 36),
    ...chips("layout", LAYOUTS, layoutWord(choice), EDGE, 58, w, (word) => player.choose(layoutChoice(word)), { columns: 4, h: 70 }),
    { id: "swap", kind: "button", x: EDGE + 3 * (w + 14) / 4, y: 142, w: (w - 42) / 4, h: 70, text: "Swap eyes", on: Boolean(views.swapped), act: () => player.swap() },
    heading("Projection", EDGE, 256),
    ...chips("projection", PROJECTIONS, choice.projection ?? "auto", EDGE, 278, w, (word) => player.choose({ projection: word === "auto" ? null : word }), { h: 70 }),
    slider("shift", "Convergence", EDGE, 372, 735, look.shift, LIMITS.shift, signed(100 * look.shift, 1, " %"), (value) => player.choose({ shift: Math.abs(value) < 0.001 ? 0 : Math.round(value * 1000) / 1000 })),
    slider("scale", "Depth", EDGE + 785, 372, 735, look.scale, LIMITS.scale, percent(look.scale), (value) => player.choose({ scale: Math.abs(value - 1) < 0.04 ? 1 : Math.round(value * 50) / 50 })),
    { id: "original", kind: "button", x: EDGE, y: 508, w: 480, h: 84, text: "Reset to the file's tags", act: () => player.original() },
    { kind: "note", x: EDGE + 510, y: 560, text: "Saved with this film." },
  ];
}

function tracks(list, chosen, pick, id, first, page, turn) {
  const each = 5, all = [...first, ...list], pages = Math.ceil(all.length / each), shown = all.slice(page * each, page * each + each);
  const out = shown.map(([value, text], n) => ({ id: `${id}:${value}`, kind: "button", x: EDGE, y: 64 + n * 90, w: 730, h: 78, text, left: true, on: value === chosen, act: () => pick(value) }));
  if (pages > 1) out.push({ id: `${id}-more`, kind: "button", x: EDGE, y: 520, w: 730, h: 78, text: `More (${page + 1} / ${pages})`, act: () => turn((page + 1) % pages) });
  return out;
}

function text(panel) {
  const { player } = panel, right = EDGE + 790, list = player.film ? Subtitles.tracks(player.film) : [];
  return [
    heading(list.length ? "Track" : "This film has no subtitles", EDGE, 40),
    ...tracks(list.map((track) => [track.number, trackName(track)]), player.subtitles.number,
      (value) => player.choose({ text: value }), "text", [[null, "No subtitles"]], panel.leaf, (leaf) => { panel.leaf = leaf; }),
    setting(player, "textSize", "Size", right, 40, 730, percent),
    setting(player, "textHeight", "Height in the picture", right, 160, 730, percent),
    setting(player, "textDepth", "Text depth", right, 280, 730, percent),
    { kind: "note", x: right, y: 420, text: "Subtitles always stay in front of the picture." },
  ];
}

function sound(panel) {
  const { player } = panel, right = EDGE + 790, list = player.film?.sound_tracks ?? [];
  const name = (track) => [trackName(track), track.codec?.toUpperCase(), track.channels ? `${track.channels} ch` : "", track.playable === false ? "transcoded" : ""].filter(Boolean).join(" · ");
  return [
    heading(list.length ? "Sound track" : "This film has no sound", EDGE, 40),
    ...tracks(list.map((track) => [track.number, name(track)]), player.sound, (value) => player.choose({ sound: value }), "sound", [], panel.leaf, (leaf) => { panel.leaf = leaf; }),
    heading("At the end", right, 40),
    ...chips("after", [[true, "Next film"], [false, "Stop"]], player.settings.autoNext, right, 64, 730, (value) => player.set("autoNext", value)),
    ...(player.live ? live(player, right) : []),
  ];
}

function live(player, x) {
  const out = [heading("Conversion", x, 210)];
  if (player.live.seconds > 4) out.push({ id: "wait", kind: "button", x, y: 234, w: 730, h: 88, text: `Wait ${clock(player.live.seconds)}, then play through`, on: player.live.hold, act: () => player.live.wait() });
  if (player.live.sound === null) out.push({ id: "keep", kind: "button", x, y: 338, w: 730, h: 88, text: "Keep this film", on: Boolean(player.live.state?.keep?.wanted), act: () => player.live.keep(!player.live.state?.keep?.wanted) });
  return out;
}

export const SHEETS = { library, screen, picture, text, sound };
