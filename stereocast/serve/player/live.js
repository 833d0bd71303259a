// Feeds a video element with the segments of a conversion as they appear. A seek to where nothing is restarts it there.

export class Live {
  constructor(video, id, note) {
    Object.assign(this, { video, id, note, stopped: false, next: 0, state: null });
    this.onseek = () => this.seeking();
    video.addEventListener("seeking", this.onseek);
  }

  async start(at) {
    this.busy = true;
    const playing = this.state && !this.video.paused;  // a new source pauses the element
    const answer = await fetch(`live/${this.id}?t=${at.toFixed(3)}`, { method: "POST" });
    this.state = await answer.json();
    this.media = new MediaSource();
    this.buffer = null;
    this.next = 0;
    this.video.src = URL.createObjectURL(this.media);
    await new Promise((done) => this.media.addEventListener("sourceopen", done, { once: true }));
    this.busy = false;
    this.jump = at;
    if (playing) this.video.play().catch(() => {});
    if (!this.looping) { this.looping = true; this.loop(); }
  }

  async loop() {
    while (!this.stopped) {
      try { if (!this.busy) await this.step(); } catch (error) { this.note(`the live stream failed: ${error.message || error}`); }
      await new Promise((done) => setTimeout(done, 250));
    }
  }

  async step() {
    const run = this.state.run;
    const state = await (await fetch(`live/${this.id}`)).json();
    if (this.busy || state.run !== run) return;
    this.state = state;
    if (state.error) { this.note(state.error); return; }
    if (!state.codecs) { this.note("converting the first seconds…"); return; }
    if (!this.buffer) {
      const kind = `video/mp4; codecs="${state.codecs}"`;
      if (!MediaSource.isTypeSupported(kind)) { this.note(`this browser can't play ${state.codecs}`); this.stopped = true; return; }
      if (Number.isFinite(this.duration)) this.media.duration = this.duration;
      this.buffer = this.media.addSourceBuffer(kind);
      this.buffer.timestampOffset = state.start_s;
      await this.append("init.mp4");
    }
    while (!this.busy && this.next < state.segments.length && this.ahead() < 60) {
      await this.append(state.segments[this.next].name);
      this.next++;
      if (this.jump !== null) { const at = this.jump; this.jump = null; this.quiet = true; this.video.currentTime = Math.max(at, this.buffer.buffered.start(0)); }
    }
    if (state.ended && this.next === state.segments.length && this.media.readyState === "open" && !this.buffer.updating) this.media.endOfStream();
    const left = (this.duration || 0) - state.start_s - state.done_s;
    // to play through without a stop, what is missing has to be ready before it is reached
    const wait = state.speed >= 1 || state.ended ? 0 : Math.max(0, left / Math.max(state.speed, 0.01) - left - this.ahead());
    this.note(state.ended ? "" : `${state.speed.toFixed(2)}× real time, ${Math.round(this.ahead())} s buffered${wait > 1 ? `; wait ${Math.ceil(wait)} s to watch without a stop` : ""}`);
  }

  ahead() {
    const ranges = this.video.buffered;
    for (let n = 0; n < ranges.length; n++) {
      if (ranges.start(n) <= this.video.currentTime + 0.3 && ranges.end(n) >= this.video.currentTime) return ranges.end(n) - this.video.currentTime;
    }
    return 0;
  }

  async append(name) {
    const answer = await fetch(`live/${this.id}/${this.state.run}/${name}`);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    const data = await answer.arrayBuffer();
    const buffer = this.buffer;
    if (!buffer) return;
    await new Promise((done, failed) => {
      buffer.addEventListener("updateend", done, { once: true });
      buffer.addEventListener("error", () => failed(new Error("the browser refused a segment")), { once: true });
      buffer.appendBuffer(data);
    });
  }

  seeking() {
    if (this.quiet) { this.quiet = false; return; }
    if (this.busy || this.stopped || !this.state) return;
    const at = this.video.currentTime, ranges = this.video.buffered;
    for (let n = 0; n < ranges.length; n++) if (at >= ranges.start(n) - 0.1 && at <= ranges.end(n)) return;
    const { start_s, done_s } = this.state;
    if (at >= start_s && at < start_s + done_s && this.buffer) {
      let edge = start_s;
      this.next = this.state.segments.findIndex((segment) => (edge += segment.seconds) > at);
      return;
    }
    this.start(at);
  }

  stop() {
    this.stopped = true;
    this.video.removeEventListener("seeking", this.onseek);
  }
}
