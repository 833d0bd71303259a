// The list of films: search, order, folders, films in progress. Cards are created as they scroll into view.

import * as api from "./api.js";
import { svg } from "./icons.js";
import { about, badge, clock, nameOf, percent, progress } from "./words.js";

const $ = (id) => document.getElementById(id);
const STEP = 60;  // cards created at a time

const make = (kind, what = {}, ...children) => {
  const element = Object.assign(document.createElement(kind), what);
  element.append(...children);
  return element;
};

export class Library {
  /** `open(film, shelf, index)` is called when a card is chosen. */
  constructor(open) {
    Object.assign(this, { open, folder: null, shown: 0, version: null });
    const kept = new URLSearchParams(location.search);
    this.folder = kept.get("folder");
    $("search").value = kept.get("q") ?? "";
    $("sort").value = kept.get("sort") ?? api.own.load("list").sort ?? "name";
    if (!$("sort").value) $("sort").value = "name";
    let timer;
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => this.load(), 200); });
    $("sort").addEventListener("change", () => { api.own.save("list", { sort: $("sort").value }); this.load(); });
    new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) this.more(); }, { rootMargin: "800px" }).observe($("state"));
  }

  get search() { return $("search").value.trim(); }

  /** The list's URL, for Back and bookmarks. */
  address() {
    const kept = new URLSearchParams();
    if (this.folder) kept.set("folder", this.folder);
    if (this.search) kept.set("q", this.search);
    if ($("sort").value !== "name") kept.set("sort", $("sort").value);
    return kept.size ? `/?${kept}` : "/";
  }

  /** Reloads the list; `quietly` keeps the number of cards. */
  async load(quietly = false) {
    const wanted = { q: this.search, sort: $("sort").value, ...(this.folder && !this.search ? { folder: this.folder } : {}) };
    const shelf = this.shelf = new api.Shelf(wanted), count = quietly ? Math.max(STEP, this.shown) : STEP;
    if (location.pathname === "/") history.replaceState(history.state, "", this.address());
    try {
      const [items, folders, begun] = await Promise.all([
        shelf.slice(0, count), api.films({ folder: this.folder ?? "", size: 1 }),
        this.search || this.folder ? [] : api.films({ watching: 1, sort: "watched", size: 12 }).then((answer) => answer.films),
      ]);
      if (this.shelf !== shelf) return;
      const held = document.activeElement?.dataset?.film, key = JSON.stringify([wanted, items, folders.folders, begun]);
      this.version = shelf.version;
      if (quietly && key === this.key) { this.tell(); return; }
      this.key = key;
      this.shelves(folders);
      $("to-studio").hidden = !folders.studio;
      $("continue").hidden = !begun.length;
      const begunShelf = new api.Shelf({ watching: 1, sort: "watched" });
      $("begun").replaceChildren(...begun.map((film, n) => this.card(film, begunShelf, n)));
      $("films").replaceChildren(...items.map((film, n) => this.card(film, shelf, n)));
      this.shown = items.length;
      if (held) this.focus(held);
      this.tell();
      if (!this.watching) this.watch();
    } catch (error) {
      if (error.status === 401) { location.reload(); return; }
      $("state").textContent = `The library can't be read: ${error.message}`;
    }
  }

  tell() {
    const { total, indexed } = this.shelf;
    clearTimeout(this.later);
    if (indexed < 1) this.later = setTimeout(() => { if (!$("library").hidden) this.load(true); }, 2500);
    $("where").hidden = !(this.folder || this.search || !$("continue").hidden);
    $("where").textContent = this.search ? `${total} found` : this.folder ? `${this.folder} · ${total}` : `All films · ${total}`;
    $("state").textContent = indexed < 1 ? `Reading the folder… ${percent(indexed)}` : total ? "" : this.search ? "No matches." : "No films here yet. Films you add to the folder appear here.";
  }

  async more() {
    const { shelf } = this;
    if (!shelf || this.busy || this.shown >= shelf.total) return;
    this.busy = true;
    try {
      const items = await shelf.slice(this.shown, STEP);
      if (this.shelf === shelf) { $("films").append(...items.map((film, n) => this.card(film, shelf, this.shown + n))); this.shown += items.length; }
    } catch (error) { $("state").textContent = error.message; } finally { this.busy = false; }
  }

  /** The folders as a row of links, starting with the way back. */
  shelves({ folders = [] }) {
    const link = (path, text, count, current) => {
      const element = make("a", { href: path ? `/?folder=${encodeURIComponent(path)}` : "/" }, svg(path === null || path === "" ? "library" : "folder"), text);
      if (count !== undefined) element.append(make("small", { textContent: count }));
      if (current) element.setAttribute("aria-current", "page");
      element.onclick = (event) => {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        this.folder = path || null;
        history.pushState({}, "", this.address());
        this.load();
      };
      return element;
    };
    const ways = (this.folder ?? "").split("/").filter(Boolean).map((name, n, all) => [all.slice(0, n + 1).join("/"), name]);
    $("folders").hidden = !ways.length && !folders.length;
    $("folders").replaceChildren(
      link("", "All films", undefined, !this.folder), ...ways.map(([path, name]) => link(path, name, undefined, path === this.folder)),
      ...folders.map((folder) => link(folder.path, folder.name, folder.films)),
    );
  }

  card(film, shelf, index) {
    const poster = make("span", { className: "poster" }, make("img", { src: api.at(film.poster), alt: "", loading: "lazy", decoding: "async" }));
    const mark = badge(film), part = progress(film);
    if (mark) poster.append(make("span", { className: "badge", textContent: mark }));
    if (film.duration_s) poster.append(make("span", { className: "length", textContent: clock(film.duration_s) }));
    if (part > 0) poster.append(make("progress", { value: part, max: 1, ariaLabel: `${percent(part)} watched` }));
    const link = make("a", { className: "card", href: `/watch/${film.id}`, title: film.title ?? "" }, poster, make("strong", { textContent: nameOf(film) }), make("span", { className: "about", textContent: about(film) }));
    if (film.note) link.append(make("span", { className: "about note", textContent: film.note }));
    link.dataset.film = film.id;
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.open(film, shelf, index);
    };
    return make("li", {}, link);
  }

  /** Focuses a film's card, where the viewer left the list. */
  focus(id) {
    const card = document.querySelector(`#films [data-film="${id}"]`) ?? document.querySelector(`[data-film="${id}"]`) ?? document.querySelector(".card");
    card?.focus({ preventScroll: false });
  }

  /** Follows changes of the folder. */
  async watch() {
    this.watching = true;
    for (;;) {
      try {
        const { version } = await api.changes(this.version ?? 0);
        if (version !== this.version) {
          this.version = version;
          if (!$("library").hidden) await this.load(true); else this.stale = true;
        }
        await new Promise((done) => setTimeout(done, 1000));
      } catch (error) {
        if (error.status === 404) return;
        await new Promise((done) => setTimeout(done, 10_000));
      }
    }
  }
}
