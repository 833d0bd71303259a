// Text in the headset: subtitles and messages, drawn for both eyes and always in front of the picture.

import { add, chain, clamp, minus, origin, place, scaled, times } from "./maths.js";
import { depthOf, flatMesh, isStereo } from "./shapes.js";

const WIDE = 1536, FONT = 60, LINE = 78, MARGIN = 30;
const SEEN = (50 * Math.PI) / 180;  // angular width of a full sign
const BEFORE = 0.96;  // distance of a sign as a share of that of the nearest thing behind it

const styled = (run, size) => `${run.italic ? "italic " : ""}${run.bold ? "700" : "500"} ${size}px system-ui, sans-serif`;

/** Wraps lines of runs at `wide` pixels. */
export function wrap(context, lines, wide, size) {
  const out = [];
  for (const line of lines) {
    let row = [], used = 0;
    for (const run of line) for (const word of run.text.split(/(?<=\s)/)) {
      context.font = styled(run, size);
      const width = context.measureText(word).width;
      if (used + context.measureText(word.trimEnd()).width > wide && row.length) { out.push({ row, used }); row = []; used = 0; }
      row.push({ ...run, text: word, width });
      used += width;
    }
    out.push({ row, used });
  }
  return out;
}

/** A transparent canvas with text and its texture, repainted when the text changes. */
class Sign {
  constructor(stereo) {
    this.stereo = stereo;
    this.canvas = Object.assign(document.createElement("canvas"), { width: WIDE, height: 512 });
    this.texture = stereo.newTexture();
    this.said = "";
    this.lines = 0;
  }

  say(lines, wide, size, boxed) {
    const key = JSON.stringify([lines, wide, size, boxed]);
    if (key === this.said) return;
    this.said = key;
    const { canvas } = this, context = canvas.getContext("2d"), rows = wrap(context, lines, wide - 2 * MARGIN, size).slice(0, 6), step = size * (LINE / FONT);
    this.lines = rows.length;
    const height = Math.ceil(step * rows.length + 2 * MARGIN);
    canvas.height = height;
    if (boxed) {
      const widest = Math.max(...rows.map((row) => row.used)) + 4 * MARGIN;
      context.fillStyle = "rgba(16, 18, 22, 0.86)";
      context.beginPath(); context.roundRect((WIDE - widest) / 2, 2, widest, height - 4, 28); context.fill();
    }
    context.textBaseline = "middle"; context.lineJoin = "round";
    rows.forEach(({ row, used }, n) => {
      let x = (WIDE - used) / 2;
      const y = MARGIN + step * (n + 0.5);
      for (const run of row) {
        context.font = styled(run, size);
        if (!boxed) { context.strokeStyle = "rgba(0, 0, 0, 0.92)"; context.lineWidth = size / 6; context.strokeText(run.text, x, y); }
        context.fillStyle = "#ffffff";
        context.fillText(run.text, x, y);
        x += run.width;
      }
    });
    this.stereo.uploadCanvas(canvas, this.texture);
  }

  /** Draws it around the middle of `frame`, `distance` metres from the eye, with the same angular size at any distance. */
  draw(matrix, frame, distance) {
    const width = 2 * distance * Math.tan(SEEN / 2), { canvas, stereo } = this;
    stereo.picture(stereo.shape("unit", "unit", () => flatMesh()), chain(matrix, frame, scaled(width, (width * canvas.height) / WIDE, 1)), this.texture);
  }
}

export class Signs {
  constructor(stereo, player) {
    Object.assign(this, { stereo, player, text: new Sign(stereo), message: new Sign(stereo), near: null, measured: 0, depth: null, shown: null, placed: [] });
  }

  /** The distance of subtitles: nearer than the nearest thing in the film at their place. */
  distance(screen) {
    const { player } = this, { views, look, settings } = player, now = performance.now();
    const seen = `${player.film?.id} ${player.position} ${player.video.readyState} ${settings.textHeight} ${JSON.stringify(views)}`;
    if (isStereo(views) && now - this.measured > 350 && seen !== this.seen) {
      Object.assign(this, { measured: now, seen });
      const low = 1 - settings.textHeight;
      this.near = player.disparity.near(player.source, views, [0.12, clamp(low - 0.38, 0, 0.7), 0.88, clamp(low + 0.05, 0.3, 1)]) ?? this.near;
    }
    // until it is known, assume that the picture stands out by 1 % of its width
    const part = isStereo(views) ? (this.near ?? 0.01) * look.scale - 2 * look.shift : 0;
    const limit = BEFORE * Math.min(depthOf(Math.max(0, part), views, screen), views.projection === "flat" ? screen.distance : 2.5);
    const target = Math.max(0.45, limit * (1 - settings.textDepth));
    this.limit = limit;
    this.depth = this.depth === null || target < this.depth ? target : this.depth + 0.03 * (target - this.depth);
    return this.depth;
  }

  /** The point `distance` away from `eye` in the direction of a spot of the screen (x to the right, y upwards, metres). */
  before(base, spot, screen, distance, lift) {
    const eye = origin(base), point = place(lift, spot), way = minus(point, eye);
    const at = add(eye, times(way, distance / screen.distance));
    const frame = lift.slice();
    frame.set(at, 12);
    return frame;
  }

  /** Updates text and places, each frame. `base` is the viewer's place, `lift` the screen's frame with its middle straight ahead. */
  update(base, lift, screen) {
    const { player } = this, { settings, views, subtitles } = player, flat = views.projection === "flat";
    const [wide, high] = flat ? [screen.width, screen.height] : [1.2 * screen.distance, 0.7 * screen.distance];
    const seen = 2 * Math.atan(wide / (2 * screen.distance)), room = Math.min(WIDE, Math.max(700, (WIDE * seen * 0.95) / SEEN));
    this.placed = [];
    const cues = subtitles.now;
    if (cues.length) {
      this.text.say(cues.flatMap((cue) => cue.lines), room, FONT * settings.textSize, false);
      const distance = this.distance(screen), tall = (2 * screen.distance * Math.tan(SEEN / 2) * this.text.canvas.height) / WIDE;
      const { line, position } = cues[0];
      const y = line === null ? -high / 2 + settings.textHeight * high + tall / 2 : clamp(high / 2 - (line / 100) * high - tall / 2, -high / 2 + tall / 2, high / 2 - tall / 2);
      const x = line === null ? 0 : ((position - 50) / 100) * wide * 0.5;
      const frame = this.before(base, [x, y, -screen.distance], screen, distance, lift);
      this.shown = { distance, limit: this.limit, text: subtitles.text(), frame };
      this.placed.push([this.text, frame, distance]);
    } else { this.shown = null; this.depth = null; }
    const words = this.told = player.message();
    if (!words) return;
    this.message.say([[{ text: words }]], room, FONT * 0.8, true);
    const distance = BEFORE * Math.min(this.depth ?? 10, screen.distance * 0.8, 2.2);
    this.placed.push([this.message, this.before(base, [0, high * 0.28, -screen.distance], screen, distance, lift), distance]);
  }

  draw(matrix) { for (const [sign, frame, distance] of this.placed) sign.draw(matrix, frame, distance); }
}
