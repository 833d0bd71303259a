// Paints the panel's widgets on its canvas.

import { at } from "./api.js";
import { draw as icon } from "./icons.js";
import { DOCK, HIGH, WIDE } from "./panel-pages.js";
import { badge, clock, nameOf, progress } from "./words.js";

const BACK = "rgba(19, 22, 28, 0.95)", PLAIN = "#262c36", OVER = "#38414f", MARK = "#7cbcff", INK = "#f1f3f6", QUIET = "#b4bdca", DARK = "#0b1420", LINE = "#4a5464";
const font = (size, weight = 500) => `${weight} ${size}px system-ui, sans-serif`;

const posters = new Map();

/** The poster of a card, requested when first shown; `ready` is called when it has loaded. */
function poster(item, ready) {
  const address = at(item.poster);
  if (!address) return null;
  if (!posters.has(address)) {
    const image = new Image();
    image.onload = ready;
    image.src = address;
    posters.set(address, image);
    if (posters.size > 200) posters.delete(posters.keys().next().value);
  }
  const image = posters.get(address);
  return image.complete && image.naturalWidth ? image : null;
}

function box(context, x, y, w, h, radius, fill, stroke) {
  context.beginPath();
  context.roundRect(x, y, w, h, radius);
  if (fill) { context.fillStyle = fill; context.fill(); }
  if (stroke) { context.strokeStyle = stroke; context.lineWidth = 4; context.stroke(); }
}

/** Text, shortened with an ellipsis if too long. */
function words(context, text, x, y, most) {
  let shown = text;
  while (shown.length > 1 && context.measureText(shown).width > most) shown = `${shown.slice(0, -2).trimEnd()}…`;
  context.fillText(shown, x, y);
  return context.measureText(shown).width;
}

const painters = {
  button(context, w, over) {
    const fill = w.primary || w.on ? MARK : over && !w.disabled ? OVER : PLAIN;
    box(context, w.x, w.y, w.w, w.h, 20, fill, over && !w.disabled ? INK : null);
    context.fillStyle = w.disabled ? "#77818f" : w.primary || w.on ? DARK : INK;
    const middle = w.y + w.h / 2, size = w.text ? 38 : w.primary ? 64 : 50;
    context.font = font(w.h > 80 ? 32 : 30, w.on ? 650 : 550);
    if (!w.icon) {
      context.textAlign = w.left ? "left" : "center";
      words(context, w.text, w.left ? w.x + 28 : w.x + w.w / 2, middle, w.w - 24);
    } else if (!w.text) icon(context, w.icon, w.x + w.w / 2, middle, size);
    else {
      const wide = Math.min(context.measureText(w.text).width, w.w - size - 30), start = w.x + (w.w - wide - size - 12) / 2;
      icon(context, w.icon, start + size / 2, middle, size);
      context.textAlign = "left";
      words(context, w.text, start + size + 12, middle, w.w - size - 30);
    }
  },
  slider(context, w, over) {
    const middle = w.label ? w.y + 66 : w.y + w.h / 2, value = Math.min(1, Math.max(0, w.value));
    if (w.label) {
      context.font = font(30); context.fillStyle = INK; context.textAlign = "left"; context.fillText(w.label, w.x, w.y + 22);
      context.textAlign = "right"; context.fillStyle = over ? INK : QUIET; context.fillText(w.shown, w.x + w.w, w.y + 22);
    }
    box(context, w.x, middle - 7, w.w, 14, 7, LINE);
    box(context, w.x, middle - 7, Math.max(14, w.w * value), 14, 7, MARK);
    context.fillStyle = INK;
    context.beginPath(); context.arc(w.x + Math.min(w.w - 16, Math.max(16, w.w * value)), middle, over ? 21 : 16, 0, 7); context.fill();
  },
  seek(context, w, over, panel) {
    const bar = w.y + 28, value = Math.min(1, Math.max(0, w.value));
    box(context, w.x, bar - (over ? 11 : 7), w.w, over ? 22 : 14, 11, LINE);
    box(context, w.x, bar - (over ? 11 : 7), Math.max(14, w.w * value), over ? 22 : 14, 11, MARK);
    context.fillStyle = INK;
    context.beginPath(); context.arc(w.x + w.w * value, bar, over ? 24 : 17, 0, 7); context.fill();
    context.font = font(30); context.fillStyle = QUIET;
    context.textAlign = "left"; context.fillText(w.left, w.x, w.y + 72);
    context.textAlign = "right"; context.fillText(w.right, w.x + w.w, w.y + 72);
    if (panel.peek === null) return;
    const x = Math.min(w.x + w.w - 170, Math.max(w.x + 170, w.x + w.w * panel.peek)), seconds = panel.peek * panel.player.duration;
    context.fillStyle = INK; context.fillRect(w.x + w.w * panel.peek - 2, bar - 22, 4, 44);
    const { sprite } = panel.player.film, high = sprite ? Math.round((320 * sprite.height) / sprite.width) : 0;
    const top = w.y - 100 - Math.min(300, high);
    if (panel.player.thumbnails.piece(seconds)) {
      box(context, x - 166, top - 6, 332, Math.min(300, high) + 76, 16, "#0d1015", INK);
      panel.player.thumbnails.draw(context, seconds, x - 160, top, 320, Math.min(300, high));
    } else box(context, x - 90, w.y - 84, 180, 60, 16, "#0d1015", INK);
    context.fillStyle = INK; context.textAlign = "center"; context.font = font(34, 650); context.fillText(clock(seconds), x, w.y - 54);
  },
  title(context, w) {
    context.font = font(40, 650); context.fillStyle = INK; context.textAlign = "left";
    const used = words(context, w.text, w.x, w.y + 36, w.w - 200);
    if (!w.badge) return;
    context.font = font(28, 700);
    const wide = context.measureText(w.badge).width + 32;
    box(context, w.x + used + 24, w.y + 12, wide, 46, 12, MARK);
    context.fillStyle = DARK; context.fillText(w.badge, w.x + used + 40, w.y + 36);
  },
  card(context, w, over, panel) {
    const { item } = w, high = w.h - 64;
    box(context, w.x, w.y, w.w, w.h, 18, over ? OVER : PLAIN, over ? INK : w.on ? MARK : null);
    context.save();
    context.beginPath(); context.roundRect(w.x + 4, w.y + 4, w.w - 8, high - 4, 14); context.clip();
    context.fillStyle = "#000"; context.fillRect(w.x, w.y, w.w, high);
    const image = poster(item, () => panel.soil());
    if (image) {
      const scale = Math.max(w.w / image.naturalWidth, high / image.naturalHeight), [a, b] = [w.w / scale, high / scale];
      context.drawImage(image, (image.naturalWidth - a) / 2, (image.naturalHeight - b) / 2, a, b, w.x, w.y, w.w, high);
    }
    context.restore();
    const part = item.id ? progress(item) : 0, mark = item.id ? badge(item) : `${item.films} films`;
    if (part > 0) { context.fillStyle = "rgba(0, 0, 0, 0.6)"; context.fillRect(w.x + 4, w.y + high - 12, w.w - 8, 10); context.fillStyle = MARK; context.fillRect(w.x + 4, w.y + high - 12, (w.w - 8) * part, 10); }
    if (mark) {
      context.font = font(24, 700); context.textAlign = "left";
      const wide = context.measureText(mark).width + 24;
      box(context, w.x + 12, w.y + 12, wide, 38, 10, MARK);
      context.fillStyle = DARK; context.fillText(mark, w.x + 24, w.y + 32);
    }
    context.fillStyle = INK; context.textAlign = "left"; context.font = font(28, 550);
    let left = w.x + 16;
    if (!item.id) { icon(context, "folder", left + 18, w.y + high + 32, 34); left += 44; }
    words(context, item.id ? nameOf(item) : item.name, left, w.y + high + 32, w.x + w.w - 12 - left);
  },
  label(context, w) { context.font = font(30, 600); context.fillStyle = INK; context.textAlign = "left"; context.fillText(w.text, w.x, w.y); },
  middle(context, w) { context.font = font(30); context.fillStyle = INK; context.textAlign = "center"; context.fillText(w.text, w.x, w.y - 10); },
  note(context, w) { context.font = font(28); context.fillStyle = QUIET; context.textAlign = "left"; context.fillText(w.text, w.x, w.y - 10); },
};

/** Paints all widgets; `over`: the ids being pointed at. */
export function paint(panel, widgets, over) {
  const context = panel.canvas.getContext("2d");
  context.clearRect(0, 0, WIDE, HIGH);
  context.textBaseline = "middle";
  box(context, 0, DOCK, WIDE, HIGH - DOCK - 4, 36, BACK);
  if (panel.page) box(context, 0, 0, WIDE, DOCK - 14, 36, BACK);
  const seek = widgets.findIndex((widget) => widget.kind === "seek");
  const ordered = seek < 0 ? widgets : [...widgets.slice(0, seek), ...widgets.slice(seek + 1), widgets[seek]];  // its thumbnail lies over all
  for (const widget of ordered) painters[widget.kind](context, widget, over.has(widget.id), panel);
}
