// Feeds a session's segments to the video element as they appear. A seek beyond them requests a session at that time.

import { live as ask } from "./api.js";
import { clock } from "./words.js";

const AHEAD = 60;  // seconds buffered ahead of the position
const PATIENCE = 4;  // seconds of waiting that are worth a message

export class Live {
  /** `sound` is the track of a session that only transcodes sound; null converts to stereo. */
  constructor(player, sound) {
    Object.assign(this, { player, video: player.video, id: player.film.id, sound, stopped: false, next: 0, state: null, jump: null, turn: 0, hold: false });
    this.onseek = () => this.seeking();
    this.onplay = () => { this.hold = false; };
    this.video.addEventListener("seeking", this.onseek);
    this.video.addEventListener("play", this.onplay);
  }

  note(text, kind) { if (!this.stopped) this.player.note(text, kind); }

  /** Requests the film from `at`. Of several quick requests, only the last counts. */
  async start(at) {
    const turn = ++this.turn;
    this.playing = this.state ? this.playing || !this.video.paused : false;  // a new source pauses the element
    this.busy = true;
    this.wanted = at;
    const state = await ask.join(this.id, at, this.sound ?? undefined);
    if (turn !== this.turn || this.stopped) return;
    this.state = state;
    const media = this.media = new MediaSource();
    this.buffer = null;
    this.next = 0;
    if (this.address) URL.revokeObjectURL(this.address);
    this.video.src = this.address = URL.createObjectURL(media);
    await new Promise((done) => media.addEventListener("sourceopen", done, { once: true }));
    if (turn !== this.turn || this.stopped) return;
    this.busy = false;
    this.jump = at;
    this.wanted = null;
    if (this.playing) this.video.play().catch(() => {});
    this.playing = false;
    if (!this.looping) { this.looping = true; this.loop(); }
  }

  async loop() {
    while (!this.stopped) {
      try { if (!this.busy) await this.step(); } catch (error) {
        if (error.status === 410) await this.start(this.jump ?? this.video.currentTime).catch(() => {});
        else this.note(`the stream failed: ${error.message || error}`, "error");
      }
      await new Promise((done) => setTimeout(done, this.video.paused && this.state?.ended ? 2000 : 300));
    }
  }

  async step() {
    const { turn } = this, { run } = this.state;
    const state = await ask.state(this.id, this.jump ?? this.video.currentTime, run);
    if (this.busy || turn !== this.turn || state.run !== run) return;
    this.state = state;
    if (state.error) { this.note(state.error, "error"); return; }
    if (!state.codecs) { this.note(state.waiting ? "Waiting for another conversion to finish…" : "Converting the first seconds…"); return; }
    if (!this.buffer) {
      const kind = `video/mp4; codecs="${state.codecs}"`;
      if (!MediaSource.isTypeSupported(kind)) { this.note(`this browser can't play ${state.codecs}`, "error"); this.stopped = true; return; }
      if (this.player.duration) this.media.duration = this.player.duration;
      this.buffer = this.media.addSourceBuffer(kind);
      this.buffer.timestampOffset = state.start_s;
      await this.append("init.mp4");
    }
    while (!this.busy && turn === this.turn && this.next < state.segments.length && this.ahead() < AHEAD) {
      await this.append(state.segments[this.next].name);
      this.next++;
      if (this.jump !== null && this.buffer?.buffered.length && this.buffer.buffered.end(0) > this.jump) {
        const at = Math.max(this.jump, this.buffer.buffered.start(0));
        this.jump = null; this.quiet = true; this.video.currentTime = at;
      }
    }
    if (state.ended && this.next === state.segments.length && this.media.readyState === "open" && !this.buffer.updating) this.media.endOfStream();
    this.tell(state);
  }

  tell(state) {
    if (state.mode === "sound") { this.note(""); return; }
    const wait = state.ended ? 0 : state.wait_s ?? null;
    const keep = state.keep?.wanted ? `; kept: ${state.keep.file ? "done" : `${Math.round(100 * state.keep.done)} %`}` : "";
    if (state.ended) { this.note(keep ? `Converted${keep}` : ""); return; }
    const speed = state.speed === null || state.speed === undefined ? "measuring the speed" : `${state.speed.toFixed(2)}× real time`;
    this.note(`${speed}, ${Math.round(this.ahead())} s buffered${wait > PATIENCE ? `; plays without stopping in ${clock(wait)}` : ""}${keep}`);
    this.waitFor(wait);
  }

  /** Starts playback when the rest will play without a stop, if the viewer chose to wait. */
  waitFor(seconds) {
    if (!this.hold || seconds === null) return;
    if (seconds <= 0) { this.hold = false; this.player.play(); }
  }

  /** "Wait, then play through": pauses until the server says that the rest will play without a stop. */
  wait() { this.video.pause(); this.hold = true; }
  keep(yes) { return ask.keep(this.id, yes); }
  get seconds() { return this.state?.ended ? 0 : this.state?.wait_s ?? 0; }

  ahead() {
    const ranges = this.video.buffered;
    for (let n = 0; n < ranges.length; n++) {
      if (ranges.start(n) <= this.video.currentTime + 0.3 && ranges.end(n) >= this.video.currentTime) return ranges.end(n) - this.video.currentTime;
    }
    return 0;
  }

  async append(name) {
    const { turn, buffer } = this;
    const answer = await fetch(ask.file(this.id, this.state.run, name));
    if (!answer.ok) throw Object.assign(new Error(`${name}: ${answer.status}`), { status: answer.status });
    const data = await answer.arrayBuffer();
    if (!buffer || turn !== this.turn) return;
    await new Promise((done, failed) => {
      buffer.addEventListener("updateend", done, { once: true });
      buffer.addEventListener("error", () => failed(new Error("the browser rejected a segment")), { once: true });
      buffer.appendBuffer(data);
    });
  }

  seeking() {
    if (this.quiet) { this.quiet = false; return; }
    if (this.stopped || !this.state) return;
    const at = this.video.currentTime, ranges = this.video.buffered;
    if (this.busy && (at === 0 || at === this.wanted)) return;  // caused by the element's new source
    for (let n = 0; n < ranges.length; n++) if (at >= ranges.start(n) - 0.1 && at <= ranges.end(n)) return;
    const { start_s, done_s } = this.state;
    if (at >= start_s && at < start_s + done_s && this.buffer && !this.busy) {
      let edge = start_s;
      this.next = this.state.segments.findIndex((segment) => (edge += segment.seconds) > at);
      return;
    }
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.start(at).catch((error) => this.note(error.message, "error")), 150);
  }

  stop() {
    if (this.stopped) return;
    this.note("");
    this.stopped = true;
    clearTimeout(this.soon);
    this.video.removeEventListener("seeking", this.onseek);
    this.video.removeEventListener("play", this.onplay);
    if (this.address) URL.revokeObjectURL(this.address);
    ask.leave(this.id);
  }
}
