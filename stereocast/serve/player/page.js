// The page: the library, the player on a flat screen, its controls, and the way into the headset.

import { Live } from "./live.js";
import { Stereo } from "./stereo.js";
import { Headset } from "./xr.js";

const $ = (id) => document.getElementById(id);
const show = (seconds) => {
  const s = Math.max(0, Math.floor(seconds || 0)), parts = [Math.floor(s / 60) % 60, s % 60];
  if (s >= 3600) parts.unshift(Math.floor(s / 3600));
  return parts.map((n, i) => (i ? String(n).padStart(2, "0") : n)).join(":");
};
const LIMITS = { size: [20, 120], distance: [1, 10], shift: [-0.05, 0.05], volume: [0, 1] };

class Player {
  constructor() {
    this.video = $("video");
    this.stereo = new Stereo($("flat"));
    this.headset = new Headset(this);
    this.settings = { size: 60, distance: 3, shift: 0, volume: 1, view: "left", screen: "quad", swapped: false, ...this.stored("settings") };
    this.views = { layout: "mono" };
    this.wire();
    const draw = () => { this.draw(); requestAnimationFrame(draw); };
    draw();
  }

  stored(key) { try { return JSON.parse(localStorage.getItem(`stereocast ${key}`)) ?? {}; } catch { return {}; } }
  store(key, value) { try { localStorage.setItem(`stereocast ${key}`, JSON.stringify(value)); } catch { /* private mode */ } }

  draw() {
    if (!this.film || this.headset.session) return;
    this.stereo.flat(this.video, this.views, this.settings.view, this.settings.swapped, this.settings.shift);
    const total = this.duration();
    if (!this.dragging) $("seek").value = total ? (1000 * this.video.currentTime) / total : 0;
    $("time").value = this.clock();
    $("play").textContent = this.video.paused ? "Play" : "Pause";
  }

  duration() { return this.film?.duration_s || this.video.duration || 0; }
  clock() { return `${show(this.video.currentTime)} / ${show(this.duration())}`; }
  note(text) { $("note").textContent = text; }

  async open(film) {
    this.film = film;
    this.views = film.views;
    this.settings.screen = film.views.half_sphere ? "sphere" : this.settings.screen === "sphere" ? "quad" : this.settings.screen;
    this.settings.swapped = false;
    $("library").hidden = true; $("player").hidden = false;
    this.note("");
    for (const old of [...this.video.querySelectorAll("track")]) old.remove();
    $("text").length = 1;
    $("text").value = "";
    $("caption").textContent = "";
    film.texts.forEach((name, number) => $("text").add(new Option(name, number)));
    const at = this.stored(`at ${film.id}`).seconds || 0;
    if (film.live) {
      this.live = new Live(this.video, film.id, (text) => this.note(text));
      this.live.duration = film.duration_s;
      await this.live.start(at < film.duration_s - 5 ? at : 0);
    } else {
      this.video.src = `film/${film.id}`;
      if (at > 0 && at < this.duration() - 5) this.video.currentTime = at;
    }
    this.apply();
    this.video.play().catch(() => {});
  }

  close() {
    this.remember();
    this.live?.stop(); this.live = null;
    this.video.pause(); this.video.removeAttribute("src"); this.video.load();
    this.film = null;
    $("player").hidden = true; $("library").hidden = false;
    $("films").querySelector("button")?.focus();
  }

  remember() { if (this.film && this.video.currentTime > 0) this.store(`at ${this.film.id}`, { seconds: this.video.currentTime }); }

  toggle() { if (this.video.paused) this.video.play().catch(() => {}); else this.video.pause(); }
  seekBy(seconds) { this.video.currentTime = Math.min(Math.max(0, this.video.currentTime + seconds), Math.max(0, this.duration() - 0.1)); }
  swap() { this.set("swapped", !this.settings.swapped); }
  left() { this.stereo.shape = ""; this.draw(); }

  set(name, value) {
    const limit = LIMITS[name];
    this.settings[name] = limit ? Math.min(limit[1], Math.max(limit[0], value)) : value;
    this.apply();
  }

  apply() {
    const s = this.settings;
    $("size").value = s.size; $("distance").value = 10 * s.distance; $("shift").value = 1000 * s.shift; $("volume").value = 100 * s.volume;
    $("view").value = s.view; $("screen").value = s.screen;
    this.video.volume = s.volume;
    this.store("settings", s);
    this.headset.arrange();
  }

  text(number) {
    for (const old of [...this.video.querySelectorAll("track")]) old.remove();
    $("caption").textContent = "";
    if (number === "") return;
    const track = document.createElement("track");
    track.kind = "subtitles"; track.src = `text/${this.film.id}/${number}`;
    this.video.append(track);
    track.track.mode = "hidden";
    track.track.addEventListener("cuechange", () => { $("caption").textContent = [...(track.track.activeCues || [])].map((cue) => cue.text).join("\n"); });
  }

  wire() {
    $("back").onclick = () => this.close();
    $("play").onclick = () => this.toggle();
    $("swap").onclick = () => this.swap();
    $("seek").oninput = () => { this.dragging = true; };
    $("seek").onchange = () => { this.dragging = false; this.video.currentTime = ($("seek").value / 1000) * this.duration(); };
    for (const [id, scale] of [["size", 1], ["distance", 10], ["shift", 1000], ["volume", 100]]) $(id).oninput = () => this.set(id, $(id).value / scale);
    for (const id of ["view", "screen"]) $(id).onchange = () => this.set(id, $(id).value);
    $("text").onchange = () => this.text($("text").value);
    $("enter").onclick = () => this.headset.enter().catch((error) => this.note(`VR: ${error.message}`));
    $("flat").onclick = () => this.toggle();
    this.video.addEventListener("error", () => { if (this.film) this.note(`this browser can't play ${this.film.title}`); });
    setInterval(() => this.remember(), 2000);
    addEventListener("pagehide", () => this.remember());
    Headset.available().then((yes) => { $("enter").disabled = !yes; $("enter").title = yes ? "" : "no headset, or the page needs https or localhost"; });
    const keys = {
      " ": () => this.toggle(), k: () => this.toggle(), ArrowLeft: () => this.seekBy(-10), ArrowRight: () => this.seekBy(10),
      ArrowUp: () => this.set("volume", this.settings.volume + 0.05), ArrowDown: () => this.set("volume", this.settings.volume - 0.05),
      s: () => this.swap(), "[": () => this.set("shift", this.settings.shift - 0.002), "]": () => this.set("shift", this.settings.shift + 0.002),
      "+": () => this.set("size", this.settings.size + 5), "-": () => this.set("size", this.settings.size - 5),
      ",": () => this.set("distance", this.settings.distance - 0.3), ".": () => this.set("distance", this.settings.distance + 0.3),
      a: () => { const all = ["left", "anaglyph", "both"]; this.set("view", all[(all.indexOf(this.settings.view) + 1) % 3]); },
      m: () => { this.video.muted = !this.video.muted; }, f: () => $("stage").requestFullscreen?.(), Escape: () => this.close(),
    };
    addEventListener("keydown", (event) => {
      if (!this.film || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = keys[event.key] || keys[event.key.toLowerCase()];
      if (!act || (event.key === " " && event.target.tagName === "BUTTON")) return;
      event.preventDefault();
      act();
    });
  }
}

async function list(player) {
  const films = await (await fetch("api/library")).json();
  $("empty").hidden = films.length > 0;
  for (const film of films) {
    const entry = document.createElement("li"), button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: `poster/${film.id}`, alt: "", loading: "lazy" });
    const title = document.createElement("strong"), about = document.createElement("span");
    title.textContent = film.title;
    const shape = film.views.half_sphere ? "VR180" : { "left-right": "3D side by side", "top-bottom": "3D top-bottom", anaglyph: "anaglyph" }[film.views.layout] || "2D";
    about.textContent = [film.duration_s ? show(film.duration_s) : "", `${film.width}×${film.height}`, shape, film.live ? "converted live" : ""].filter(Boolean).join(" · ");
    button.append(picture, title, about);
    button.onclick = () => player.open(film).catch((error) => player.note(error.message));
    entry.append(button);
    $("films").append(entry);
  }
}

const player = new Player();
window.stereocast = player;
list(player);
