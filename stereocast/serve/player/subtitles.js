// Subtitles: the tracks of a film and the lines shown now, for both page and headset.

import { at } from "./api.js";

/** A cue's text as lines of runs {text, italic, bold}. */
export function runs(node, style = {}, lines = [[]]) {
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      child.textContent.split("\n").forEach((text, n) => { if (n) lines.push([]); if (text) lines.at(-1).push({ text, ...style }); });
    } else if (child.nodeName === "BR") lines.push([]);
    else runs(child, { italic: style.italic || child.nodeName === "I", bold: style.bold || child.nodeName === "B" }, lines);
  }
  return lines.filter((line, n) => line.length || n === 0);
}

export class Subtitles {
  /** `changed` is called whenever the lines change. */
  constructor(video, changed) { Object.assign(this, { video, changed, now: [], number: null }); }

  static tracks(film) {
    return film.text_tracks;
  }

  /** Shows a track of the film; null shows none. */
  show(film, number) {
    const old = this.element;
    this.element = null; this.number = null; this.now = [];
    if (old) { old.track.mode = "disabled"; old.remove(); }
    this.changed();
    const track = number === null || number === undefined ? null : Subtitles.tracks(film).find((one) => one.number === Number(number));
    if (!track) return;
    const element = this.element = document.createElement("track");
    Object.assign(element, { kind: "subtitles", src: at(track.url), srclang: track.language || "" });
    this.number = track.number;
    this.video.append(element);
    element.track.mode = "hidden";
    element.track.addEventListener("cuechange", () => {
      if (this.element !== element) return;
      this.now = [...(element.track.activeCues ?? [])].map((cue) => ({
        lines: runs(cue.getCueAsHTML()),
        // a line of 0..100 is the source's position; "auto" follows the viewer's setting
        line: cue.line === "auto" || cue.snapToLines ? null : Number(cue.line),
        position: cue.position === "auto" ? 50 : Number(cue.position),
        align: cue.align,
      }));
      this.changed();
    });
  }

  text() { return this.now.map((cue) => cue.lines.map((line) => line.map((run) => run.text).join("")).join("\n")).join("\n"); }
}
