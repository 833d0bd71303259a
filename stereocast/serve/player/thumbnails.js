// The thumbnails over the seek bar, cut from the sheet that the server makes per film.

import { at } from "./api.js";

export class Thumbnails {
  constructor() { this.film = null; }

  /** Requests the film's sheet; `ready` is called when it has loaded. */
  load(film, ready = () => {}) {
    if (this.film?.id === film.id) return;
    this.film = film; this.image = null;
    if (!film.sprite) return;
    const image = new Image();
    image.onload = () => { if (this.film === film) { this.image = image; ready(); } };
    image.src = at(film.sprite.url);
  }

  /** The part of the sheet for a moment: [x, y, width, height]; null while there is none. */
  piece(seconds) {
    if (!this.image) return null;
    const { columns, count, interval_s, width, height } = this.film.sprite;
    const n = Math.max(0, Math.min(count - 1, Math.round(seconds / interval_s)));
    return [(n % columns) * width, Math.floor(n / columns) * height, width, height];
  }

  /** Draws a moment into a rectangle of a canvas; returns false if there is nothing to draw. */
  draw(context, seconds, x, y, width, height) {
    const piece = this.piece(seconds);
    if (piece) context.drawImage(this.image, ...piece, x, y, width, height);
    return Boolean(piece);
  }
}
