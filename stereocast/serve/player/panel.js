// The panel in the headset: its place, pointing and pressing, and when it is hidden.

import { Shelf } from "./api.js";
import { chain, clamp, meetCylinder, pitched, yawed } from "./maths.js";
import { DOCK, dock, HIGH, SHEETS, SHOWN, WIDE } from "./panel-pages.js";
import { paint } from "./panel-paint.js";
import { bentMesh } from "./shapes.js";

const RADIUS = 1.25, METRES = 1.3, BELOW = (-22 * Math.PI) / 180;
const TALL = (METRES * HIGH) / WIDE;
const REST = 6000, REST_OPEN = 40000;  // ms without use until it is hidden, without and with a sheet

/** The panel's library: a page of a list. */
class Browse {
  constructor(panel) { Object.assign(this, { panel, mode: "all", folder: "", page: 0, items: [], count: 0, state: "Loading…" }); }

  show(mode, folder = "") {
    Object.assign(this, { mode, folder, page: 0 });
    this.shelf = new Shelf({ all: { sort: "name" }, watching: { watching: 1, sort: "watched" }, added: { sort: "added" }, folders: { folder } }[mode]);
    return this.load();
  }

  async turn(by) { this.page = Math.max(0, this.page + by); await this.load(); }

  async load() {
    const { shelf, page } = this;
    this.state = "Loading…";
    try {
      await shelf.page(1);
      const up = this.mode === "folders" && this.folder ? [{ path: this.folder.split("/").slice(0, -1).join("/"), name: "..", films: 0 }] : [];
      const folders = this.mode === "folders" ? [...up, ...shelf.folders] : [], first = page * SHOWN;
      const some = folders.slice(first, first + SHOWN), from = Math.max(0, first - folders.length);
      const items = [...some, ...(await shelf.slice(from, SHOWN - some.length))];
      if (this.shelf !== shelf || this.page !== page) return;
      Object.assign(this, { items, count: folders.length + shelf.total, before: folders.length });
      this.state = "No films";
    } catch (error) { this.items = []; this.state = error.message; }
    this.panel.soil();
  }

  open(item, n) {
    if (!item.id) { this.show("folders", item.path); return; }
    const { player } = this.panel;
    this.panel.turn("");
    player.open(item, { shelf: this.shelf, index: this.page * SHOWN + n - this.before }).catch((error) => player.note(error.message, "error"));
  }
}

export class Panel {
  constructor(stereo, player, headset) {
    Object.assign(this, { stereo, player, headset, shown: false, page: "", leaf: 0, peek: null, held: null, over: new Set(), last: "", used: 0, frame: null, widgets: [] });
    this.canvas = Object.assign(document.createElement("canvas"), { width: WIDE, height: HIGH });
    this.texture = stereo.newTexture();
    this.browse = new Browse(this);
  }

  /** Places the panel in front of the viewer: below the screen, or in the direction of view if that is far away. */
  show(base, turned = 0) {
    this.frame = chain(base, yawed(Math.abs(turned) > 0.6 ? turned : 0), pitched(BELOW));
    this.shown = true;
    this.touch();
    this.soil();
  }

  hide() { this.shown = false; this.held = null; this.peek = null; this.page = ""; this.over.clear(); }
  touch() { this.used = performance.now(); }
  soil() { this.last = ""; }

  turn(page) {
    this.page = page;
    this.leaf = 0;
    if (page === "library") this.browse.show(this.browse.mode, this.browse.folder);
    this.soil();
  }

  /** Where a ray meets the panel: {x, y, id, widget, distance}; null outside it and where it is transparent. */
  aim(ray) {
    if (!this.frame || (!this.shown && !ray.gaze)) return null;
    const hit = meetCylinder(this.frame, RADIUS, ray.from, ray.along);
    if (!hit) return null;
    const x = (0.5 + (hit.angle * RADIUS) / METRES) * WIDE, y = (0.5 - hit.height / TALL) * HIGH;
    if (x < 0 || x > WIDE || y > HIGH || y < (this.page ? 0 : DOCK)) return null;
    if (!this.shown) return { x, y, id: "wake", widget: { id: "wake", kind: "button", act: () => this.headset.showPanel() }, distance: hit.distance };
    const widget = this.widgets.findLast((one) => one.id && !one.disabled && x >= one.x && x <= one.x + one.w && y >= one.y && y <= one.y + one.h);
    return { x, y, id: widget?.id ?? null, widget, distance: hit.distance };
  }

  part(widget, spot) { return clamp((spot.x - widget.x) / widget.w, 0, 1); }

  press(spot) {
    this.touch();
    this.held = spot.widget ?? null;
    this.drag(spot);
  }

  drag(spot) {
    const { held } = this;
    if (!held || !spot) return;
    this.touch();
    if (held.kind === "slider") held.set(this.part(held, spot));
    if (held.kind === "seek") this.peek = this.part(held, spot);
  }

  release(spot) {
    const { held } = this;
    this.held = null;
    this.touch();
    if (held?.kind === "seek" && this.peek !== null) this.player.seekTo(this.peek * this.player.duration);
    else if (held?.act && spot?.id === held.id) held.act();
    this.soil();
  }

  /** Turns the library's pages with a stick over the panel; returns whether it did. */
  stick(sign) {
    if (!this.shown || this.page !== "library" || !this.over.size) return false;
    if (sign < 0 || (this.browse.page + 1) * SHOWN < this.browse.count) this.browse.turn(sign);
    this.touch();
    return true;
  }

  /** Updates pointing, repaints changes and hides an unused panel, each frame. */
  update(rays) {
    if (!this.shown) return;
    const now = performance.now(), spots = rays.map((ray) => ray.spot).filter(Boolean);
    if (spots.length) this.touch();
    if (now - this.used > (this.page ? REST_OPEN : REST)) { this.hide(); return; }
    this.over = new Set(spots.map((spot) => spot.id).filter(Boolean));
    const seek = spots.find((spot) => spot.id === "seek");
    if (this.held?.kind !== "seek") this.peek = seek ? this.part(seek.widget, seek) : null;
    this.widgets = [...(this.page ? SHEETS[this.page](this) : []), ...dock(this)];
    const state = JSON.stringify([this.widgets.map(({ item, ...rest }) => [rest, item?.id, item?.memory]), [...this.over], this.peek === null ? null : Math.round(this.peek * WIDE)]);
    if (state === this.last) return;
    if (now - (this.painted ?? 0) < 33) return;
    this.painted = now;
    this.last = state;
    this.ready = true;
    paint(this, this.widgets, this.over);
    this.stereo.uploadCanvas(this.canvas, this.texture);
  }

  draw(matrix) {
    if (!this.shown || !this.ready) return;
    const shape = this.stereo.shape("panel", "panel", () => bentMesh(METRES, TALL, RADIUS));
    this.stereo.picture(shape, chain(matrix, this.frame), this.texture);
  }
}
