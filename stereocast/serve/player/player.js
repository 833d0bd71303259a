// The player's state: a film or picture, how it is shown, and what is saved for it. Page and headset provide the controls.

import * as api from "./api.js";
import { Disparity } from "./disparity.js";
import { Live } from "./live.js";
import { clamp } from "./maths.js";
import { isStereo, viewsOf } from "./shapes.js";
import { Subtitles } from "./subtitles.js";
import { Thumbnails } from "./thumbnails.js";
import { clock, nameOf } from "./words.js";

/** The ranges of all numbers; the last two are per film, the others per viewer. */
export const LIMITS = {
  size: [20, 140], distance: [1, 10], height: [-2, 2], tilt: [-45, 45], curve: [0, 1], light: [0, 1], volume: [0, 1],
  textSize: [0.5, 2], textHeight: [0, 0.9], textDepth: [0, 0.6], shift: [-0.05, 0.05], scale: [0, 1.5],
};
const SETTINGS = {
  size: 60, distance: 3, height: 0, tilt: 0, curve: 0.3, room: "dim", light: 0.3, lying: false, volume: 1, muted: false, view: "left",
  textSize: 1, textHeight: 0.06, textDepth: 0, autoNext: true,
};
const COUNTDOWN = 8;  // seconds before the next film begins

export class Player extends EventTarget {
  constructor(video, stereo) {
    super();
    Object.assign(this, { video, film: null, views: viewsOf(null), picture: null, shelf: null, index: -1, notes: {}, next: null, before: null, after: null });
    this.settings = api.own.load("viewer", SETTINGS);
    for (const key of Object.keys(SETTINGS)) if (LIMITS[key]) this.settings[key] = clamp(Number(this.settings[key]) || 0, ...LIMITS[key]);
    this.subtitles = new Subtitles(video, () => this.tell("cue"));
    this.thumbnails = new Thumbnails();
    this.disparity = new Disparity(stereo);
    this.wire();
    this.hear();
  }

  tell(what) { this.dispatchEvent(new Event(what)); }

  /** The element to draw: the video or a picture. */
  get source() { return this.picture ?? this.video; }
  get choice() { return this.film?.memory?.settings ?? {}; }
  get look() { return { shift: this.choice.shift ?? 0, scale: this.choice.scale ?? 1 }; }
  get isPicture() { return this.film?.kind === "picture"; }
  get paused() { return this.video.paused; }
  get position() { return this.video.currentTime || 0; }
  get duration() { return this.film?.duration_s || (Number.isFinite(this.video.duration) ? this.video.duration : 0) || 0; }
  clock() { return `${clock(this.position)} / ${clock(this.duration)}`; }

  /** Width and height of the whole picture; 0 while unknown. */
  dimensions() {
    const { source } = this;
    return [source.videoWidth || source.naturalWidth || source.width || 0, source.videoHeight || source.naturalHeight || source.height || 0];
  }

  /** Shows a message; "" removes it. Errors take precedence over waiting messages. */
  note(text, kind = "state") {
    if ((this.notes[kind] ?? "") === text) return;
    this.notes[kind] = text;
    this.tell("note");
  }

  message() { return this.notes.error || this.notes.next || this.notes.wait || this.notes.state || ""; }

  /** Opens a card of the library. `shelf` and `index` give its place, for next and previous. */
  async open(card, { shelf = this.shelf, index = this.index, at = null, play = true } = {}) {
    const turn = this.turn = (this.turn ?? 0) + 1;
    // a card of the list may lack subtitle files and recently saved state
    const film = await api.film(card.id).catch((error) => { if (error.status === 404) throw error; return card; });
    if (turn !== this.turn) return;
    this.leave();
    Object.assign(this, { film, shelf, index, picture: null, notes: {}, before: null, after: null });
    this.views = viewsOf(film, this.choice);
    this.tell("open");
    this.tell("note");
    if (this.isPicture) { await this.showPicture(film); return; }
    this.thumbnails.load(film, () => this.tell("change"));
    const begun = at ?? (film.memory?.seen ? 0 : film.memory?.position_s ?? 0);
    const start = begun < this.duration - 5 ? begun : 0;
    await this.listen(start);
    const forced = Subtitles.tracks(film).find((track) => track.forced);
    this.subtitles.show(film, this.choice.text ?? forced?.number ?? null);
    this.tell("change");
    if (play) this.play();
    this.follow();
  }

  /** Plays the chosen sound track from `start`: the file itself, or a session for sound that the browser can't play. */
  async listen(start) {
    const { film, video } = this, tracks = film.sound_tracks ?? [];
    const track = tracks.find((one) => one.number === this.choice.sound) ?? tracks.find((one) => one.default) ?? tracks[0];
    this.sound = track?.number ?? null;
    this.live?.stop();
    this.live = null;
    if (film.live || track?.way === "session") {
      this.live = new Live(this, film.live ? null : track.number);
      await this.live.start(start);
      return;
    }
    video.src = api.at(film.url);
    if (start > 0) video.currentTime = start;
  }

  async showPicture(film) {
    this.video.pause(); this.video.removeAttribute("src"); this.video.load();
    const picture = new Image();
    picture.src = api.at(film.url);
    try { await picture.decode(); } catch { if (this.film === film) this.note(`${nameOf(film)} can't be shown`, "error"); return; }
    if (this.film !== film) return;
    this.picture = picture;
    api.remember(film, { seen: true });
    this.tell("change");
    this.follow();
  }

  /** Looks up the next film in advance. */
  async follow() {
    const { film, shelf, index } = this;
    this.before = this.after = null;
    if (!shelf || index < 0) return;
    const [before, after] = await Promise.all([shelf.at(index - 1), shelf.at(index + 1)]).catch(() => [null, null]);
    if (this.film !== film) return;
    Object.assign(this, { before, after });
    this.tell("change");
  }

  async step(by) {
    const film = by > 0 ? this.after : this.before;
    if (!film) return;
    await this.open(film, { index: this.index + by }).catch((error) => this.note(error.message, "error"));
  }

  leave() {
    this.cancelNext();
    this.remember();
    this.live?.stop(); this.live = null;
    this.subtitles.show(null, null);
  }

  close() {
    this.turn = (this.turn ?? 0) + 1;
    this.leave();
    this.video.pause(); this.video.removeAttribute("src"); this.video.load();
    Object.assign(this, { film: null, picture: null, notes: {}, views: viewsOf(null) });
    this.tell("close");
  }

  remember() {
    if (!this.film || this.isPicture || !(this.position > 0)) return;
    const seen = this.duration > 0 && this.position > this.duration * 0.95;
    api.remember(this.film, { position_s: Math.round(10 * this.position) / 10, seen });
  }

  play() {
    this.cancelNext();
    return this.video.play().catch((error) => { if (error.name === "NotAllowedError") this.note("Press play", "wait"); });
  }

  toggle() { if (this.isPicture) return; if (this.paused) this.play(); else this.video.pause(); }
  seekTo(seconds) { this.cancelNext(); this.video.currentTime = clamp(seconds, 0, Math.max(0, this.duration - 0.1)); }
  seekBy(seconds) { if (this.isPicture) this.step(Math.sign(seconds)); else this.seekTo(this.position + seconds); }

  /** Changes one of the viewer's settings. */
  set(name, value) {
    this.settings[name] = LIMITS[name] ? clamp(value, ...LIMITS[name]) : value;
    api.own.save("viewer", this.settings);
    if (name === "volume" && value > 0) this.settings.muted = false;
    this.hear();
    this.tell("change");
  }

  hear() { this.video.volume = this.settings.volume; this.video.muted = this.settings.muted; }

  /** Changes settings of this film and saves them with it. */
  choose(what) {
    if (!this.film) return;
    const kept = Object.fromEntries(Object.entries(what).map(([key, value]) => [key, LIMITS[key] && value !== null ? clamp(value, ...LIMITS[key]) : value]));
    if (kept.text === null) kept.text = -1;  // none, not even the forced track
    api.remember(this.film, { settings: kept });
    this.views = viewsOf(this.film, this.choice);
    if ("text" in what) this.subtitles.show(this.film, what.text);
    if ("sound" in what && what.sound !== this.sound) {
      const { paused } = this;
      this.listen(this.position).then(() => { if (!paused) this.play(); }, (error) => this.note(error.message, "error"));
    }
    this.tell("change");
  }

  swap() { this.choose({ swapped: !this.views.swapped }); }
  original() { this.choose({ layout: null, full: null, projection: null, swapped: null, shift: null, scale: null }); }

  /** Measures the disparity of the current picture a few times per second, for the depth setting. */
  measure(stereo) {
    const wanted = this.look.scale !== 1 && isStereo(this.views);
    if (!wanted) { if (this.reliefSet) { stereo.setRelief(null); this.reliefSet = false; } return; }
    const now = performance.now();
    if (now - (this.measured ?? 0) < (this.paused && this.reliefSet ? 500 : 150)) return;
    this.measured = now;
    const map = this.disparity.map(this.source, this.views);
    if (map) { stereo.setRelief(map); this.reliefSet = true; }
  }

  ended() {
    api.remember(this.film, { position_s: 0, seen: true });
    if (!this.after || !this.settings.autoNext) return;
    let left = COUNTDOWN;
    const count = () => {
      if (left <= 0) { this.step(1); return; }
      this.note(`Next in ${left} s: ${nameOf(this.after)}`, "next");
      left--;
      this.next = setTimeout(count, 1000);
    };
    count();
  }

  cancelNext() { clearTimeout(this.next); this.next = null; this.note("", "next"); }

  wire() {
    const { video } = this;
    for (const name of ["play", "pause", "seeked", "loadedmetadata", "emptied", "resize", "volumechange", "durationchange"]) {
      video.addEventListener(name, () => this.tell("change"));
    }
    video.addEventListener("pause", () => this.remember());
    video.addEventListener("ended", () => this.ended());
    video.addEventListener("error", () => {
      if (this.film && video.src && !this.isPicture) this.note(`this browser can't play ${nameOf(this.film)}${this.film.codec ? ` (${this.film.codec})` : ""}`, "error");
    });
    let timer;
    const wait = () => { clearTimeout(timer); timer = setTimeout(() => { if (this.film && !this.isPicture) this.note("Loading…", "wait"); }, 500); };
    const go = () => { clearTimeout(timer); this.note("", "wait"); };
    video.addEventListener("waiting", wait);
    for (const name of ["playing", "canplay", "seeked", "error", "emptied"]) video.addEventListener(name, go);
    video.addEventListener("playing", () => this.note("", "error"));
    setInterval(() => { if (!this.paused) this.remember(); }, 5000);
    addEventListener("pagehide", () => { this.remember(); });
  }
}
