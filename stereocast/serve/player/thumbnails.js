// The small pictures over the seek bar, cut from the one sheet that the server makes of a film.

import { at } from "./api.js";

export class Thumbnails {
  constructor() { this.film = null; }

  /** Asks for the film's sheet; `ready` is called when it is there. */
  load(film, ready = () => {}) {
    if (this.film?.id === film.id) return;
    this.film = film; this.image = null;
    if (!film.sprite) return;
    const image = new Image();
    image.onload = () => { if (this.film === film) { this.image = image; ready(); } };
    image.src = at(film.sprite.url);
  }

  /** The piece of the sheet for that moment: [x, y, width, height]; null while there is none. */
  piece(seconds) {
    if (!this.image) return null;
    const { columns, count, interval_s, width, height } = this.film.sprite;
    const n = Math.max(0, Math.min(count - 1, Math.round(seconds / interval_s)));
    return [(n % columns) * width, Math.floor(n / columns) * height, width, height];
  }

  /** Draws that moment into a rectangle of a canvas; false if there is nothing to draw. */
  draw(context, seconds, x, y, width, height) {
    const piece = this.piece(seconds);
    if (piece) context.drawImage(this.image, ...piece, x, y, width, height);
    return Boolean(piece);
  }
}
