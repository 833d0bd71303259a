// The page: the list of films and the player, with a URL per film and a working Back button.

import * as api from "./api.js";
import { Choices } from "./choices.js";
import { Controls } from "./controls.js";
import { Library } from "./library.js";
import { Player } from "./player.js";
import { Stereo } from "./stereo.js";
import { Headset } from "./xr.js";

const $ = (id) => document.getElementById(id);
const WATCH = "/watch/";

const stereo = new Stereo($("flat"));
const player = new Player($("video"), stereo);
const headset = new Headset(player, stereo);
const choices = new Choices($("choices"), player, headset, $("settings"));
const library = new Library((film, shelf, index) => open(film, shelf, index));
const controls = new Controls(player, headset, stereo, choices, leave);
let scrolled = 0, last = null;

/** Opens a film over the list, with its own URL. */
async function open(film, shelf, index, push = true) {
  if (!$("library").hidden) scrolled = scrollY;
  if (push) history.pushState({ opened: true }, "", WATCH + film.id);
  await player.open(film, { shelf, index }).catch((error) => player.note(error.message, "error"));
}

/** Returns to the list, through the browser's history if the list is in it. */
function leave() {
  if (document.fullscreenElement) document.exitFullscreen();
  if (history.state?.opened) history.back();
  else { history.replaceState({}, "", library.address()); route(); }
}

/** Shows the page for the current URL. */
async function route() {
  if (!location.pathname.startsWith(WATCH)) {
    if (player.film) player.close();
    const asked = new URLSearchParams(location.search);
    if ((asked.get("folder") ?? null) !== library.folder || !library.shelf) { library.folder = asked.get("folder"); await library.load(); }
    return;
  }
  const id = location.pathname.slice(WATCH.length);
  if (player.film?.id === id) return;
  try {
    const film = await api.film(id), shelf = new api.Shelf({ folder: film.folder ?? "" });
    await open(film, shelf, await shelf.find(id).catch(() => -1), false);
  } catch (error) {
    if (error.status === 401) { location.reload(); return; }
    $("state").textContent = error.status === 404 ? "This film isn't in the library." : error.message;
    history.replaceState({}, "", "/");
    await library.load();
  }
}

player.addEventListener("open", () => {
  const first = $("player").hidden;
  $("library").hidden = true; $("player").hidden = false;
  last = player.film.id;
  if (location.pathname !== WATCH + last) history.replaceState(history.state, "", WATCH + last);
  if (first) $("play").focus({ preventScroll: true });
});

player.addEventListener("close", async () => {
  choices.close();
  $("player").hidden = true; $("library").hidden = false;
  document.title = "stereocast";
  scrollTo(0, scrolled);
  library.focus(last);
  // progress and "continue watching" have changed
  if (library.shelf) { await new Promise((done) => setTimeout(done, 700)); if (!player.film) await library.load(true); }
});

addEventListener("popstate", route);
$("enter-library").onclick = () => headset.enter().catch((error) => { $("state").textContent = `VR: ${error.message}`; });
headset.available().then((yes) => { for (const id of ["enter", "enter-library"]) $(id).hidden = !yes; });
window.stereocast = { player, headset, stereo, library, controls, choices, get video() { return player.video; }, get settings() { return player.settings; } };
route();
