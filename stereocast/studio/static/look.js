// A moment of a film, redrawn on every change: one request at a time, always for the latest settings.

import { $, ask, clock, get, make } from './api.js';

export const KINDS = [['source', 'Source'], ['depth', 'Depth'], ['anaglyph', 'Anaglyph'], ['wiggle', 'Wiggle'], ['packed', 'Side by side'], ['filled', 'Filled areas']];
const canvas = $('picture'), paper = canvas.getContext('2d');
const LATER_MS = 140; // between the two views of a wiggle

export class Look {
  constructor(told) {
    Object.assign(this, { told, film: null, at: 0, kind: 'anaglyph', options: {}, wanted: null, busy: false, image: null });
    $('kinds').replaceChildren(...KINDS.map(([kind, title], number) => make('button', {
      role: 'tab', id: `kind-${kind}`, title: `${title} (${number + 1})`, onclick: () => this.show(kind) }, title)));
    setInterval(() => { if (this.image && this.kind === 'wiggle' && !$('film').hidden) this.draw(this.turn = !this.turn); }, LATER_MS);
    this.mark();
  }

  mark() {
    for (const [kind] of KINDS) $(`kind-${kind}`).setAttribute('aria-selected', kind === this.kind);
  }

  show(kind) { this.kind = kind; this.mark(); this.ask(); }

  open(film, at, options) {
    Object.assign(this, { film, at, options, image: null });
    canvas.width = 960;
    canvas.height = Math.max(2, Math.round(960 * film.height / film.width));
    paper.clearRect(0, 0, canvas.width, canvas.height);
    $('comfort').replaceChildren();
    $('hint').textContent = '';
    this.ask();
    this.strip();
  }

  close() { this.film = null; clearTimeout(this.timer); }

  ask(draft = false) {
    if (!this.film) return;
    const width = Math.min(1920, Math.round(canvas.parentNode.clientWidth * Math.min(2, devicePixelRatio || 1)) || 960);
    this.wanted = { film: this.film.id, at: this.at, kind: this.kind === 'wiggle' ? 'views' : this.kind, options: { ...this.options }, width, draft };
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.wanted) {
      const { film, ...wish } = this.wanted;
      this.wanted = null;
      const slow = setTimeout(() => { $('busy').hidden = false; $('busy').textContent = 'drawing'; }, 300);
      try {
        const begun = performance.now(), answer = await ask(`films/${film}/look`, { json: wish });
        const facts = JSON.parse(answer.headers.get('X-Look')), image = await createImageBitmap(await answer.blob());
        if (this.film?.id === film) {
          this.image = image;
          this.drawn = wish.kind;
          this.draw(this.turn);
          this.say(facts, performance.now() - begun);
        }
      } catch (error) {
        if (this.film?.id === film) $('hint').textContent = error.message;
      }
      clearTimeout(slow);
      $('busy').hidden = true;
    }
    this.busy = false;
  }

  draw(second = false) {
    const both = this.drawn === 'views', width = both ? this.image.width / 2 : this.image.width;
    if (canvas.width !== width || canvas.height !== this.image.height) [canvas.width, canvas.height] = [width, this.image.height];
    paper.drawImage(this.image, both && second ? width : 0, 0, width, this.image.height, 0, 0, width, this.image.height);
  }

  say(facts, ms) {
    this.facts = facts;
    this.lastMs = Math.round(ms);
    const line = facts.line.includes(': ') ? facts.line.slice(facts.line.indexOf(': ') + 2) : facts.line;
    $('comfort').replaceChildren(...(facts.verdict ? [make('b', { className: facts.verdict }, facts.verdict), `: ${line}`] : []));
    $('hint').textContent = [facts.note, `depth by ${facts.estimator}`, `rendered in ${Math.round(ms)} ms`].filter(Boolean).join('; ');
    this.told(facts);
  }

  async strip() {
    const film = this.film, place = $('strip');
    place.replaceChildren();
    place.hidden = film.kind === 'still';
    if (film.kind === 'still') return;
    try {
      for (;;) {
        const found = await get(`films/${film.id}/strip`);
        if (this.film !== film) return;
        for (const shot of found.shots.slice(place.children.length)) place.append(this.thumbnail(film, shot));
        found.shots.forEach((shot, number) => { place.children[number].at = shot.time_s; });
        this.select();
        if (found.done) { if (found.error) $('hint').textContent = found.error; return; }
        await new Promise((done) => { this.timer = setTimeout(done, 1000); });
      }
    } catch { /* the film is gone; its page shows that */ }
  }

  thumbnail(film, shot) {
    const made = make('button', { role: 'option', title: `Shot ${shot.number + 1}`, onclick: () => this.go(made.at) },
      make('img', { src: `/api/studio/films/${film.id}/strip/${shot.number}`, alt: `Shot at ${clock(shot.start_s)}`, loading: 'lazy' }),
      make('time', {}, clock(shot.start_s)));
    made.at = shot.time_s;
    return made;
  }

  go(at) { this.at = at; this.select(); this.ask(); }

  step(by) {
    const all = [...$('strip').children], now = all.findIndex((one) => one.getAttribute('aria-selected') === 'true');
    const next = all[Math.max(0, Math.min(all.length - 1, now + by))];
    if (next) { this.go(next.at); next.scrollIntoView({ block: 'nearest', inline: 'center' }); }
  }

  select() {
    const all = [...$('strip').children];
    const near = all.reduce((best, one) => (best && Math.abs(best.at - this.at) <= Math.abs(one.at - this.at) ? best : one), null);
    for (const one of all) one.setAttribute('aria-selected', one === near);
  }
}
