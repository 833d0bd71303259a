// The queue: how far, how fast, what can be done with it.

import { $, bytes, clock, make, post } from './api.js';

const WAYS = { convert: 'to 3D', gen: 'brought to life', '4d': 'turned around' };
const FILM = /\.(mp4|mkv|mov)$/i;

export function showJobs(state, say) {
  const jobs = state.jobs, open = jobs.filter((job) => job.state === 'running' || job.state === 'waiting').length;
  $('queue-count').hidden = !open;
  $('queue-count').textContent = open;
  $('idle').hidden = jobs.length + state.live.length > 0;
  keepFocus(() => fill(state, jobs, say));
}

function keepFocus(change) {
  const key = document.activeElement?.closest('#jobs') && document.activeElement.dataset.key;
  change();
  if (key) $('jobs').querySelector(`[data-key="${key}"]`)?.focus();
}

function fill(state, jobs, say) {
  $('jobs').replaceChildren(...state.live.map(live), ...jobs.map((job, place) => row(job, place, jobs.length, state, say)));
}

function row(job, place, count, state, say) {
  const tell = (change) => async () => {
    try { await post(`jobs/${job.id}`, change); } catch (error) { say(error.message); }
    document.dispatchEvent(new Event('look-again'));
  };
  const button = (title, does, more = {}) => named(make('button', { onclick: does, ...more }, title), `${job.id}-${title}`);
  const buttons = [];
  if (job.state === 'running' || job.state === 'waiting') buttons.push(button('Stop', tell({ do: 'stop' })));
  if (job.state === 'stopped') buttons.push(button('Resume', tell({ do: 'resume' }), { className: 'primary' }));
  if (job.state === 'failed') {
    const there = job.error.includes('already exists');
    buttons.push(there ? button('Convert again and replace it', tell({ do: 'replace' })) : button('Try again', tell({ do: 'resume' })));
  }
  if (job.state === 'done') {
    const number = job.outputs.findIndex((name) => FILM.test(name));
    if (number >= 0) {
      buttons.push(named(make('a', { className: 'button primary', href: `/watch/${job.films[number]}` }, 'Watch'), `${job.id}-watch`));
      buttons.push(button('Send to headset', async () => {
        try { await post('send', { job: job.id }); } catch (error) { say(error.message); }
      }));
    }
  }
  if (count > 1 && job.state !== 'done') {
    buttons.push(button('↑', tell({ do: 'move', place: place - 1 }), { disabled: place === 0, 'aria-label': 'Earlier' }));
    buttons.push(button('↓', tell({ do: 'move', place: place + 1 }), { disabled: place === count - 1, 'aria-label': 'Later' }));
  }
  buttons.push(button('Remove', tell({ do: 'remove' }), { title: job.state === 'done' ? 'Off the list; the film stays' : 'With what is done of it' }));
  return make('li', {},
    make('div', { className: 'row' }, make('strong', {}, job.source), make('span', { className: 'small' }, WAYS[job.kind]),
      make('span', { className: `state ${job.state}` }, job.state), make('span', { className: 'push' }, ...buttons)),
    job.state === 'done' || job.state === 'failed' ? '' : make('progress', job.total ? { max: job.total, value: job.done } : job.state === 'running' ? {} : { max: 1, value: 0 }),
    make('p', { className: 'small' }, facts(job)),
    ...job.notes.map((note) => make('p', { className: 'small' }, note)),
    job.error ? make('p', { className: 'small error', role: 'alert' }, job.error) : '',
    sent(job, state.send));
}

// What is converted while somebody watches it.
function live(one) {
  return make('li', {},
    make('div', { className: 'row' }, make('strong', {}, one.name), make('span', { className: 'state running' }, 'live'), make('span', { className: 'push' },
      named(make('a', { className: 'button', href: `/watch/${one.film}` }, 'Watch'), `live-${one.number}-watch`),
      named(make('button', { onclick: () => post('live/stop', { number: one.number }) }, 'Stop'), `live-${one.number}`))),
    make('progress', one.duration_s ? { max: one.duration_s, value: one.done_s } : {}),
    make('p', { className: 'small' }, [`${clock(one.done_s)}${one.duration_s ? ` of ${clock(one.duration_s)}` : ''}`, one.speed ? `${one.speed.toFixed(1)} × as fast as it plays` : '', `${one.viewers} watching`].filter(Boolean).join(' · ')),
    one.error ? make('p', { className: 'small error', role: 'alert' }, one.error) : '');
}

function named(made, key) { made.dataset.key = key; return made; }

function facts(job) {
  const said = [];
  if (job.state === 'done') said.push(job.outputs.join(', '), job.comfort, `took ${clock(job.seconds)}`);
  else {
    if (job.phase) said.push(job.phase);
    if (job.total) said.push(`${job.done} of ${job.total} frames`);
    else if (job.done) said.push(`${job.done} frames done`);
    if (job.fps) said.push(`${job.fps.toFixed(1)} fps`);
    if (job.eta_s !== null) said.push(`${clock(job.eta_s)} left`);
    const all = Object.values(job.stages).reduce((sum, one) => sum + one, 0);
    if (all > 0) said.push(Object.entries(job.stages).map(([stage, seconds]) => `${stage} ${Math.round(100 * seconds / all)} %`).join(', '));
  }
  return said.filter(Boolean).join(' · ');
}

function sent(job, send) {
  if (send.state === 'none' || !job.outputs.some((name) => name.endsWith(send.name))) return '';
  const words = { running: `to the headset: ${bytes(send.done)} of ${bytes(send.total)}`, done: 'is on the headset', failed: send.error }[send.state];
  return make('p', { className: send.state === 'failed' ? 'small error' : 'small' }, words);
}
