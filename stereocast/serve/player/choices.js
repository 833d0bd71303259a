// The settings dialog of the player: for this film, subtitles, the flat screen and the headset.

import { svg } from "./icons.js";
import { LIMITS } from "./player.js";
import { LAYOUTS, layoutChoice, layoutWord, PROJECTIONS } from "./shapes.js";
import { Subtitles } from "./subtitles.js";
import { degrees, metres, percent, signed, trackName } from "./words.js";

const tagged = (kind, what = {}, ...children) => { const element = Object.assign(document.createElement(kind), what); element.append(...children); return element; };

/** Fields of the dialog, with id, value and action. */
function fields(player, headset) {
  const { film } = player, texts = film ? Subtitles.tracks(film) : [], sounds = film?.sound_tracks ?? [];
  const number = (name, label, show) => ({ id: name, label, range: LIMITS[name], value: () => player.settings[name], shown: () => show(player.settings[name]), set: (value) => player.set(name, value) });
  const chosen = (name, label, show, whole) => ({ id: name, label, range: LIMITS[name], value: () => player.look[name], shown: () => show(player.look[name]), set: (value) => player.choose({ [name]: Math.round(value * whole) / whole }) });
  return [
    ["This film", [
      { id: "layout", label: "Views", choices: LAYOUTS, value: () => layoutWord(player.choice), set: (word) => player.choose(layoutChoice(word)) },
      { id: "projection", label: "Projection", choices: PROJECTIONS, value: () => player.choice.projection ?? "auto", set: (word) => player.choose({ projection: word === "auto" ? null : word }) },
      { id: "swap", label: "Swap eyes", check: true, value: () => player.views.swapped, set: (on) => player.choose({ swapped: on }) },
      chosen("shift", "Convergence", (value) => signed(100 * value, 1, " %"), 1000),
      chosen("scale", "Depth", percent, 50),
      { id: "original", label: "Reset to the file's tags", act: () => player.original() },
    ]],
    ["Sound and subtitles", [
      ...(sounds.length > 1 ? [{ id: "sound", label: "Sound", choices: sounds.map((track) => [track.number, [trackName(track), track.codec].filter(Boolean).join(", ")]), value: () => player.sound, set: (value) => player.choose({ sound: Number(value) }) }] : []),
      { id: "text", label: "Subtitles", choices: [["", "None"], ...texts.map((track) => [track.number, trackName(track)])], value: () => player.subtitles.number ?? "", set: (value) => player.choose({ text: value === "" ? null : Number(value) }) },
      number("textSize", "Text size", percent), number("textHeight", "Text height", percent), number("textDepth", "Text depth", percent),
    ]],
    ["Flat screen", [{ id: "view", label: "Show", choices: [["left", "One eye"], ["anaglyph", "Red-cyan glasses"], ["both", "Both views"]], value: () => player.settings.view, set: (value) => player.set("view", value) }]],
    ["In the headset", [
      number("size", "Size", degrees), number("distance", "Distance", metres), number("height", "Height", (value) => signed(value, 1, " m")),
      number("tilt", "Tilt", (value) => signed(value, 0, "°")), number("curve", "Curvature", percent),
      { id: "room", label: "Room", choices: [["black", "Black"], ["dim", "Dim room"], ...(headset.canPass ? [["passthrough", "Passthrough"]] : [])], value: () => headset.room, set: (value) => headset.setRoom(value) },
      number("light", "Light", percent),
      { id: "lying", label: "Lying down", check: true, value: () => player.settings.lying, set: (on) => headset.lie(on) },
    ]],
    ["At the end", [{ id: "autoNext", label: "Next film", check: true, value: () => player.settings.autoNext, set: (on) => player.set("autoNext", on) }]],
  ];
}

export class Choices {
  constructor(dialog, player, headset, opener) {
    Object.assign(this, { dialog, player, headset, opener, held: [] });
    opener.onclick = () => (dialog.open ? this.close() : this.open());
    for (const name of ["change", "open"]) player.addEventListener(name, () => this.show());
    player.addEventListener("open", () => { if (dialog.open) this.build(); });
  }

  open() {
    this.build();
    this.dialog.show();
    this.opener.setAttribute("aria-expanded", "true");
    this.dialog.querySelector("button, input, select")?.focus();
  }

  close() {
    if (!this.dialog.open) return;
    this.dialog.close();
    this.opener.setAttribute("aria-expanded", "false");
    this.opener.focus();
  }

  build() {
    const close = tagged("button", { ariaLabel: "Close", onclick: () => this.close() }, svg("close"));
    this.held = [];
    const sections = fields(this.player, this.headset).flatMap(([title, all]) => [tagged("h3", { textContent: title }), ...all.map((field) => this.field(field))]);
    this.dialog.replaceChildren(tagged("header", {}, tagged("h2", { textContent: "Settings" }), close), ...sections);
    this.show();
  }

  field(field) {
    if (field.act) return tagged("button", { id: field.id, className: "wide", textContent: field.label, onclick: field.act });
    const name = tagged("span", { textContent: field.label });
    let input, output = null;
    if (field.choices) {
      input = tagged("select", {}, ...field.choices.map(([value, text]) => new Option(text, value)));
      input.onchange = () => field.set(input.value);
    } else if (field.check) {
      input = tagged("input", { type: "checkbox" });
      input.onchange = () => field.set(input.checked);
    } else {
      const [low, high] = field.range;
      input = tagged("input", { type: "range", min: low, max: high, step: (high - low) / 100 });
      input.oninput = () => field.set(Number(input.value));
      output = tagged("output");
    }
    input.id = field.id;
    this.held.push({ field, input, output });
    return tagged("label", { className: output ? "" : "choice" }, name, input, ...(output ? [output] : []));
  }

  /** Shows the current settings. */
  show() {
    if (!this.dialog.open && !this.held.length) return;
    for (const { field, input, output } of this.held) {
      if (field.check) input.checked = Boolean(field.value()); else if (document.activeElement !== input || field.choices) input.value = field.value();
      if (output) output.value = field.shown();
    }
  }
}
