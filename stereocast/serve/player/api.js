// Requests to the server (docs/serve-api.md), and saved state: per film on the server, per viewer in the browser.

async function json(address, options) {
  const answer = await fetch(address, options);
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw Object.assign(new Error(body?.error || `${answer.status} ${answer.statusText}`), { status: answer.status });
  return body;
}

const query = (given) => new URLSearchParams(Object.entries(given).filter(([, value]) => value !== undefined && value !== null && value !== ""));
const post = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** An address from the server as an absolute path. */
export const at = (address) => (address ? `/${address.replace(/^\//, "")}` : "");

export const films = (wanted) => {
  const { folder, ...rest } = wanted, asked = query(rest);
  if (folder !== undefined && folder !== null) asked.set("folder", folder);
  return json(`/api/films?${asked}`);
};
export const film = (id) => json(`/api/films/${encodeURIComponent(id)}`);
export const changes = (since) => json(`/api/changes?since=${since}`);

/** This page's identifier, by which the server knows its viewer. */
export const VIEWER = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const live = {
  join: (id, t, sound) => json(`/live/${id}?${query({ t: t.toFixed(3), viewer: VIEWER, sound })}`, { method: "POST" }),
  state: (id, seconds, run) => json(`/live/${id}?${query({ viewer: VIEWER, at: seconds.toFixed(3), run })}`),
  keep: (id, keep) => json(`/live/${id}/keep`, post({ keep })),
  leave: (id) => navigator.sendBeacon(`/live/${id}/leave?viewer=${VIEWER}`),
  file: (id, run, name) => `/live/${id}/${run}/${name}`,
};

const waiting = new Map();

/** Saves the given values for a film; several calls within half a second are sent together. */
export function remember(film, what) {
  const { settings, ...rest } = what;
  film.memory = { ...film.memory, ...rest, settings: { ...film.memory?.settings, ...settings } };
  for (const [key, value] of Object.entries(film.memory.settings)) if (value === null) delete film.memory.settings[key];
  const held = waiting.get(film.id) ?? { settings: {} };
  Object.assign(held, rest); Object.assign(held.settings, settings);
  clearTimeout(held.timer);
  held.timer = setTimeout(() => send(film.id), 500);
  waiting.set(film.id, held);
}

function send(id, last = false) {
  const { timer, ...body } = waiting.get(id) ?? {};
  if (!timer) return;
  clearTimeout(timer);
  waiting.delete(id);
  if (!Object.keys(body.settings).length) delete body.settings;
  const address = `/api/films/${id}/memory`;
  if (last) navigator.sendBeacon(address, new Blob([JSON.stringify(body)], { type: "application/json" }));
  else json(address, post(body)).catch((error) => console.warn("not saved:", error.message));
}

addEventListener("pagehide", () => { for (const id of [...waiting.keys()]) send(id, true); });

/** The viewer's settings, stored in this browser. */
export const own = {
  load(key, otherwise = {}) { try { return { ...otherwise, ...JSON.parse(localStorage.getItem(`stereocast ${key}`)) }; } catch { return { ...otherwise }; } },
  save(key, value) { try { localStorage.setItem(`stereocast ${key}`, JSON.stringify(value)); } catch { /* private mode */ } },
};

const PAGE = 60;

/** The films of a query in order, requested in pages as needed. */
export class Shelf {
  constructor(wanted = {}) { this.wanted = wanted; this.pages = new Map(); this.total = 0; this.folders = []; this.version = null; }

  async page(number) {
    if (!this.pages.has(number)) {
      const asked = films({ ...this.wanted, page: number, size: PAGE });
      this.pages.set(number, asked);
      asked.catch(() => this.pages.delete(number));
    }
    const answer = await this.pages.get(number);
    this.total = answer.total;
    this.count = answer.pages;
    if (number === 1) Object.assign(this, { folders: answer.folders ?? [], version: answer.version, indexed: answer.indexed });
    return answer.films;
  }

  /** The films from `first`, at most `count`. A page may be short, because unreadable files are dropped. */
  async slice(first, count) {
    const found = [];
    for (let n = first; found.length < count; n = (Math.floor(n / PAGE) + 1) * PAGE) {
      const number = Math.floor(n / PAGE) + 1, page = await this.page(number);
      found.push(...page.slice(n % PAGE, (n % PAGE) + count - found.length));
      if (number >= this.count) break;
    }
    return found;
  }

  async at(index) { return index < 0 ? null : (await this.slice(index, 1))[0] ?? null; }

  /** The index of a film; -1 if it isn't among the first ones. */
  async find(id, most = 1200) {
    for (let number = 1; (number - 1) * PAGE < most; number++) {
      const page = await this.page(number), n = page.findIndex((film) => film.id === id);
      if (n >= 0) return (number - 1) * PAGE + n;
      if (number >= this.count) break;
    }
    return -1;
  }
}
