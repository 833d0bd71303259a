// Weights: shows licence and size before the download, like `stereocast models`.

import { $, bytes, clock, get, make, post } from './api.js';

let known = [];

export async function models() {
  known = await get('models');
  return known;
}

async function fetchOne(name, say) {
  try { await post('models/download', { name, accept_licence: true }); } catch (error) { say(error.message); }
  document.dispatchEvent(new Event('look-again'));
}

export function needed(names, say) {
  const place = $('missing'), entries = known.filter((entry) => names.includes(entry.name));
  place.hidden = !entries.length;
  place.replaceChildren(...entries.flatMap((entry) => [offer(entry, say)]));
}

function offer(entry, say) {
  return make('span', { className: 'row' }, make('strong', {}, entry.name), `must be downloaded (${bytes(entry.size)}). Licence: ${entry.licence}; ${entry.terms}.`,
    make('a', { href: entry.page, target: '_blank', rel: 'noreferrer' }, 'Read the licence'),
    make('button', { type: 'button', onclick: () => fetchOne(entry.name, say) }, 'Accept the licence and download'));
}

export function showModels(download, say) {
  $('weights').replaceChildren(...known.map((entry) => {
    const own = download.name === entry.name || (download.state === 'running' && download.part === entry.name), running = own && download.state === 'running';
    return make('li', {},
      make('div', { className: 'row' }, make('strong', {}, entry.name), make('span', { className: 'small' }, entry.about),
        make('span', { className: `state ${entry.downloaded ? 'done' : ''}` }, entry.downloaded ? 'downloaded' : bytes(entry.size)),
        make('span', { className: 'push' }, entry.downloaded ? '' : running
          ? make('button', { onclick: () => post('models/stop') }, 'Stop')
          : make('button', { onclick: () => fetchOne(entry.name, say) }, 'Accept the licence and download'))),
      make('p', { className: 'small' }, `${entry.licence}: ${entry.terms}. `, make('a', { href: entry.page, target: '_blank', rel: 'noreferrer' }, 'Read the licence')),
      running ? make('progress', { max: download.total || 1, value: download.done }) : '',
      running ? make('p', { className: 'small' }, `${bytes(download.done)} of ${bytes(download.total || entry.size)}${download.eta_s ? `, ${clock(download.eta_s)} left` : ''}`) : '',
      own && download.error ? make('p', { className: 'small error', role: 'alert' }, download.error) : '');
  }));
}
