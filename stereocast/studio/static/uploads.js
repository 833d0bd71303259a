// Files to the folder, in pieces; a lost connection is tried again, and the same file chosen again resumes.

import { $, ask, bytes, make, post } from './api.js';

const PIECE = 8 << 20;
const rows = new Map();
const waiting = [];
let working = false;

export function bringIn(files, whenThere) {
  for (const file of files) waiting.push({ file, whenThere, stopped: false });
  if (!working) next();
}

async function next() {
  working = true;
  while (waiting.length) {
    const one = waiting.shift();
    show(one, 0, 'waiting');
    try {
      const film = await send(one);
      rows.get(one)?.remove();
      rows.delete(one);
      one.whenThere(film);
    } catch (error) {
      show(one, one.at || 0, error.message, true);
    }
  }
  working = false;
}

async function send(one) {
  const { file } = one;
  const begun = await post('uploads', { name: file.name, size: file.size, changed: file.lastModified });
  one.id = begun.id;
  let at = begun.offset, tries = 0;
  for (;;) {
    if (one.stopped) throw new Error('stopped; choose the same file again to resume');
    one.at = at;
    show(one, at, `${bytes(at)} of ${bytes(file.size)}`);
    try {
      const piece = file.slice(at, at + PIECE);
      const answer = await (await ask(`uploads/${one.id}?offset=${at}`, { method: 'PUT', body: piece })).json();
      if (answer.film) return answer.film;
      [at, tries] = [answer.offset, 0];
    } catch (error) {
      if (error.status === 409 && error.more.offset !== undefined) at = error.more.offset;
      else if (error.gone && tries < 20) {
        tries += 1;
        show(one, at, 'the connection is lost; trying again');
        await new Promise((done) => setTimeout(done, Math.min(5000, 500 * tries)));
      } else throw error;
    }
  }
}

function show(one, at, text, failed = false) {
  const share = one.file.size ? at / one.file.size : 0;
  const row = make('li', {},
    make('div', { className: 'row' }, make('strong', {}, one.file.name),
      make('span', { className: 'push' }, failed
        ? make('button', { onclick: () => { rows.get(one)?.remove(); rows.delete(one); } }, 'Close')
        : make('button', { onclick: () => { one.stopped = true; } }, 'Stop'))),
    failed ? '' : make('progress', { max: 1, value: share }),
    make('p', { className: failed ? 'small error' : 'small' }, text));
  if (rows.has(one)) rows.get(one).replaceWith(row);
  else $('uploads').append(row);
  rows.set(one, row);
}

// What an earlier page left half way.
const old = make('li', { hidden: true });
export function showOld(listing) {
  const here = new Set([...rows.keys()].map((one) => one.id));
  const left = listing.filter((one) => !here.has(one.id));
  old.hidden = !left.length;
  const key = JSON.stringify(left);
  if (old.dataset.key === key) return;
  old.dataset.key = key;
  old.replaceChildren(...left.map((one) => make('div', { className: 'row' },
    make('strong', {}, one.name), `${bytes(one.offset)} of ${bytes(one.size)} are uploaded; choose the same file again to resume`,
    make('span', { className: 'push' }, make('button', { onclick: () => ask(`uploads/${one.id}`, { method: 'DELETE' }) }, 'Forget')))));
  if (!old.parentNode) $('uploads').append(old);
}
