// Pointing devices: rays from controllers and hands, otherwise the gaze, and sticks and buttons.

import { forward, origin } from "./maths.js";

const DWELL = 1300;  // ms that the gaze must rest on something to press it
const FIRST = 400, AGAIN = 140;  // ms until a held stick repeats, and between repeats

export class Pointers {
  /**
   * `target` answers `aim(ray)` (a spot or null), `press(spot, ray)`, `drag(spot, ray)`, `release(spot, ray)`, `miss(ray)`,
   * `stick(hand, axis, sign, count)` and `button(hand, name)`.
   */
  constructor(session, target) {
    Object.assign(this, { session, target, rays: [], held: new Map(), dwell: null, sticks: {}, down: {}, space: null });
    session.addEventListener("selectstart", (event) => this.select(event, true));
    session.addEventListener("selectend", (event) => this.select(event, false));
  }

  ray(frame, source) {
    const pose = frame.getPose(source.targetRaySpace, this.space);
    if (!pose) return null;
    const m = pose.transform.matrix;
    return { source, hand: source.handedness, gaze: source.targetRayMode === "gaze", from: origin(m), along: forward(m), matrix: m };
  }

  select(event, start) {
    const { inputSource: source, frame } = event;
    const ray = this.ray(frame, source) ?? this.rays.find((one) => one.source === source);
    if (!ray) return;
    const spot = this.target.aim(ray);
    if (start) {
      if (!spot) { this.target.miss(ray); return; }
      this.held.set(source, spot);
      this.target.press(spot, ray);
    } else if (this.held.has(source)) {
      this.held.delete(source);
      this.target.release(spot, ray);
    }
  }

  /** Updates all pointers, each frame before drawing. */
  update(frame, space, viewer) {
    this.space = space;
    const sources = [...this.session.inputSources];
    this.rays = sources.map((source) => this.ray(frame, source)).filter(Boolean);
    const pointing = this.rays.some((ray) => !ray.gaze);
    if (!pointing && !this.rays.length && viewer) {
      const m = viewer.transform.matrix;
      this.rays = [{ source: null, hand: "none", gaze: true, from: origin(m), along: forward(m), matrix: m }];
    }
    for (const ray of this.rays) {
      ray.spot = this.target.aim(ray);
      ray.pressed = this.held.has(ray.source);
      if (ray.pressed) this.target.drag(ray.spot, ray);
    }
    for (const source of this.held.keys()) if (!sources.includes(source)) { this.held.delete(source); this.target.release(null, null); }
    this.rest(this.rays.find((ray) => ray.gaze && !ray.source));
    for (const source of sources) if (source.gamepad) this.pads(source);
  }

  /** Presses a thing on which the gaze rests; the gaze must leave it before it can press again. */
  rest(ray) {
    const what = ray?.spot?.id ?? null, now = performance.now();
    if (!ray || what === null) { this.dwell = null; return; }
    if (this.dwell?.what !== what) this.dwell = { what, since: now, done: false };
    ray.dwell = this.dwell.done ? 0 : Math.min(1, (now - this.dwell.since) / DWELL);
    if (ray.dwell < 1) return;
    this.dwell.done = true;
    this.target.press(ray.spot, ray);
    this.target.release(ray.spot, ray);
  }

  pads(source) {
    const { gamepad: pad, handedness: hand } = source, now = performance.now();
    const axes = [pad.axes[2] ?? pad.axes[0] ?? 0, pad.axes[3] ?? pad.axes[1] ?? 0];
    const strong = Math.abs(axes[0]) > Math.abs(axes[1]) ? 0 : 1, value = axes[strong];
    const before = this.sticks[hand];
    if (Math.abs(value) < 0.45) this.sticks[hand] = null;
    else {
      const sign = Math.sign(value), same = before && before.axis === strong && before.sign === sign;
      if (!same) this.sticks[hand] = { axis: strong, sign, next: now + FIRST, count: 0 };
      if (!same || now >= before.next) {
        const stick = this.sticks[hand];
        this.target.stick(hand, strong === 0 ? "x" : "y", sign, stick.count);
        stick.count++;
        if (same) stick.next = now + AGAIN;
      }
    }
    for (const [number, name] of [[4, "first"], [5, "second"]]) {
      const down = Boolean(pad.buttons[number]?.pressed), key = `${hand}${number}`;
      if (down && !this.down[key]) this.target.button(hand, name);
      this.down[key] = down;
    }
  }
}
