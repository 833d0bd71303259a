// The player on a flat screen: its picture, its buttons and its keys.

import { svg } from "./icons.js";
import { Subtitles } from "./subtitles.js";
import { badge, clock, nameOf } from "./words.js";

const $ = (id) => document.getElementById(id);
const IDLE = 3000;  // ms without movement until the controls are hidden
const STEP = 10, FINE = 5;  // seconds per arrow key, on the page and on the seek bar

const label = (button, icon, text) => {
  if (button.dataset.icon === icon) return;
  button.dataset.icon = icon;
  button.replaceChildren(svg(icon));
  if (text) button.setAttribute("aria-label", text);
};

export class Controls {
  constructor(player, headset, stereo, choices, leave) {
    Object.assign(this, { player, headset, stereo, choices, leave, gaze: { yaw: 0, pitch: 0 }, woken: 0, dragging: false });
    this.buttons();
    this.pointer();
    this.seekBar();
    addEventListener("keydown", (event) => this.key(event));
    player.addEventListener("open", () => this.opened());
    player.addEventListener("change", () => this.show());
    player.addEventListener("note", () => this.note());
    player.addEventListener("cue", () => this.caption());
    const draw = () => { this.draw(); requestAnimationFrame(draw); };
    draw();
  }

  draw() {
    const { player, headset } = this;
    if (!player.film || headset.session) return;
    // each frame is drawn once, so a paused film costs nothing
    const seen = `${player.position} ${player.video.readyState} ${this.gaze.yaw} ${this.gaze.pitch}`;
    if (seen !== this.seen || this.stale || player.look.scale !== 1) {
      this.seen = seen; this.stale = false;
      this.stereo.flat(player.source, player.views, player.settings.view, player.look, this.gaze);
      if (player.settings.view === "anaglyph") player.measure(this.stereo);
    }
    if (!this.dragging) $("seek").value = player.duration ? (1000 * player.position) / player.duration : 0;
    $("seek").setAttribute("aria-valuetext", player.clock());
    $("time").value = player.clock();
    const quiet = !player.paused && !$("choices").open && performance.now() - this.woken > IDLE && !$("bar").contains(document.querySelector(":focus-visible"));
    $("player").classList.toggle("idle", quiet);
    this.settle();
  }

  wake() { this.woken = performance.now(); }

  /** Keeps subtitles within the picture, and above the controls while they are shown. */
  settle() {
    const { width, height, bottom } = $("flat").getBoundingClientRect(), { settings } = this.player, caption = $("caption");
    const bar = $("player").classList.contains("idle") ? 0 : $("bar").offsetHeight;
    const key = `${width} ${height} ${bottom} ${settings.textSize} ${settings.textHeight} ${innerHeight} ${bar}`;
    if (key === this.settled) return;
    this.settled = key;
    caption.style.bottom = `${Math.max(bar, innerHeight - bottom + height * settings.textHeight)}px`;
    caption.style.fontSize = `${Math.max(14, Math.min(44, width * 0.028)) * settings.textSize}px`;
  }

  opened() {
    const { film } = this.player;
    document.title = `${nameOf(film)} · stereocast`;
    $("title").textContent = nameOf(film);
    $("badge").textContent = badge(film);
    $("badge").hidden = !badge(film);
    $("player").classList.toggle("still", this.player.isPicture);
    Object.assign(this.gaze, { yaw: 0, pitch: 0 });
    this.wake();
    this.show();
  }

  show() {
    const { player } = this, { settings } = player;
    this.stale = true;
    label($("play"), player.paused ? "play" : "pause", player.paused ? "Play" : "Pause");
    label($("mute"), settings.muted ? "mute" : "sound", "Mute");
    $("mute").setAttribute("aria-pressed", settings.muted);
    $("volume").value = settings.muted ? 0 : 100 * settings.volume;
    $("previous").disabled = !player.before;
    $("next").disabled = !player.after;
    $("captions").disabled = !player.film || !Subtitles.tracks(player.film).length;
    $("captions").setAttribute("aria-pressed", player.subtitles.number !== null);
    if (player.paused) this.wake();
    this.note();
  }

  note() {
    const { player } = this, text = player.message(), live = player.live;
    const buttons = [];
    const offer = (words, act) => { const button = document.createElement("button"); button.textContent = words; button.onclick = act; buttons.push(button); };
    if (player.notes.next && !player.notes.error) { offer("Now", () => player.step(1)); offer("Cancel", () => player.cancelNext()); }
    else if (live && live.sound === null && text) {
      if (live.seconds > 4 && !live.hold) offer("Wait", () => live.wait());
      if (!live.state?.keep?.wanted && live.state) offer("Keep this film", () => live.keep(true));
    }
    const words = $("note").firstChild ?? $("note").appendChild(document.createTextNode(""));
    if (words.data !== text) words.data = text;
    // buttons don't move while the text next to them changes
    const offered = JSON.stringify([buttons.map((button) => button.textContent), player.film?.id]);
    if (offered !== this.offered) {
      this.offered = offered;
      $("note").replaceChildren(words, ...buttons);
    }
    $("note").hidden = !text;
    $("note").classList.toggle("action", buttons.length > 0);
  }

  caption() {
    const lines = this.player.subtitles.now.flatMap((cue) => cue.lines);
    $("caption").replaceChildren(...lines.flatMap((line, n) => [...(n ? ["\n"] : []), ...line.map((run) => {
      const element = document.createElement(run.italic ? "i" : run.bold ? "b" : "span");
      element.textContent = run.text;
      return element;
    })]));
  }

  buttons() {
    const { player } = this, acts = {
      back: this.leave, play: () => player.toggle(), previous: () => player.step(-1), next: () => player.step(1),
      mute: () => player.set("muted", !player.settings.muted), captions: () => this.captions(), whole: () => this.whole(),
      enter: () => this.headset.enter().catch((error) => player.note(`VR: ${error.message}`, "error")),
    };
    for (const [id, act] of Object.entries(acts)) $(id).onclick = act;
    for (const [id, icon, text] of [["back", "back", "Back to the library"], ["previous", "previous", "Previous"], ["next", "next", "Next"], ["captions", "text", "Subtitles"], ["settings", "settings", "Settings"], ["whole", "whole", "Full screen"]]) label($(id), icon, text);
    for (const id of ["enter", "enter-library"]) $(id).prepend(svg("headset"));
    $("volume").oninput = () => player.set("volume", $("volume").value / 100);
    document.addEventListener("fullscreenchange", () => $("whole").setAttribute("aria-pressed", Boolean(document.fullscreenElement)));
    this.show();
  }

  /** Turns subtitles on or off: the last track, otherwise one in the browser's language. */
  captions() {
    const { player } = this, tracks = Subtitles.tracks(player.film);
    if (player.subtitles.number !== null) { this.last = player.subtitles.number; player.choose({ text: null }); }
    else {
      const speaks = (track) => navigator.languages.some((word) => track.language?.slice(0, 2) === word.slice(0, 2));
      const track = tracks.find((one) => one.number === this.last) ?? tracks.find(speaks) ?? tracks.find((one) => !one.language) ?? tracks[0];
      player.choose({ text: track?.number ?? null });
    }
  }

  whole() { if (document.fullscreenElement) document.exitFullscreen(); else $("player").requestFullscreen?.().catch(() => {}); }

  pointer() {
    const stage = $("stage"), { player, gaze } = this;
    for (const name of ["pointermove", "pointerdown", "focusin"]) $("player").addEventListener(name, () => this.wake());
    let from = null, went = 0, idle = false;
    stage.addEventListener("pointerdown", (event) => { from = event; went = 0; idle = $("player").classList.contains("idle"); stage.setPointerCapture(event.pointerId); });
    stage.addEventListener("pointermove", (event) => {
      if (!from) return;
      went += Math.abs(event.movementX) + Math.abs(event.movementY);
      if (player.views.projection === "flat" || went < 6) return;
      gaze.yaw += event.movementX * 0.003;
      gaze.pitch = Math.min(1.5, Math.max(-1.5, gaze.pitch + event.movementY * 0.003));
    });
    stage.addEventListener("pointerup", (event) => {
      // the first tap of a finger shows the controls; a mouse click plays or pauses
      if (from && went < 6) { if ($("choices").open) this.choices.close(); else if (event.pointerType === "mouse" || !idle) player.toggle(); }
      from = null;
    });
    stage.addEventListener("dblclick", () => this.whole());
  }

  seekBar() {
    const { player } = this, bar = $("seek"), peek = $("peek"), canvas = peek.querySelector("canvas");
    const tell = (part) => {
      if (!player.duration) return;
      const seconds = part * player.duration, { sprite } = player.film, context = canvas.getContext("2d");
      canvas.hidden = !player.thumbnails.piece(seconds);
      if (!canvas.hidden) {
        canvas.height = Math.round((160 * sprite.height) / sprite.width);
        player.thumbnails.draw(context, seconds, 0, 0, 160, canvas.height);
      }
      peek.querySelector("span").textContent = clock(seconds);
      peek.hidden = false;
      const { width } = bar.getBoundingClientRect();
      peek.style.left = `${Math.min(width - 90, Math.max(90, part * width))}px`;
    };
    bar.addEventListener("pointermove", (event) => { const { left, width } = bar.getBoundingClientRect(); tell(Math.min(1, Math.max(0, (event.clientX - left) / width))); });
    bar.addEventListener("pointerleave", () => { peek.hidden = true; });
    bar.oninput = () => { this.dragging = true; tell(bar.value / 1000); };
    bar.onchange = () => { this.dragging = false; peek.hidden = true; player.seekTo((bar.value / 1000) * player.duration); };
  }

  key(event) {
    const { player } = this, { key, target } = event;
    if (!player.film || event.ctrlKey || event.metaKey || event.altKey) return;
    this.wake();
    const within = (what) => target instanceof Element && target.matches(what);
    if (key === "Escape") { event.preventDefault(); if ($("choices").open) this.choices.close(); else this.leave(); return; }
    // fields, lists and sliders handle their own keys
    const seeking = target === $("seek") && { ArrowLeft: -FINE, ArrowRight: FINE, PageDown: -60, PageUp: 60 }[key];
    if (seeking) { event.preventDefault(); player.seekBy(seeking); return; }
    if (within("input:not([type=checkbox]), select, textarea") && (key.startsWith("Arrow") || key.startsWith("Page") || ["Home", "End", " ", "Enter"].includes(key) || within("select"))) return;
    if (key === " " && within("button, input, a")) return;
    const act = this.keys()[key] ?? (key.length === 1 ? this.keys()[key.toLowerCase()] : null);
    if (!act) return;
    event.preventDefault();
    act();
  }

  keys() {
    const { player } = this, { settings, look } = player, set = (name, by) => () => player.set(name, settings[name] + by);
    const views = ["left", "anaglyph", "both"];
    return {
      " ": () => player.toggle(), k: () => player.toggle(), ArrowLeft: () => player.seekBy(-STEP), ArrowRight: () => player.seekBy(STEP),
      ArrowUp: set("volume", 0.05), ArrowDown: set("volume", -0.05), m: () => player.set("muted", !settings.muted), c: () => this.captions(), f: () => this.whole(),
      s: () => player.swap(), "[": () => player.choose({ shift: Math.round((look.shift - 0.002) * 1000) / 1000 }), "]": () => player.choose({ shift: Math.round((look.shift + 0.002) * 1000) / 1000 }),
      "+": set("size", 5), "-": set("size", -5), ",": set("distance", -0.3), ".": set("distance", 0.3),
      a: () => player.set("view", views[(views.indexOf(settings.view) + 1) % 3]), N: () => player.step(1), P: () => player.step(-1),
    };
  }
}
