// The page: its parts, the open film, and the studio's state, polled once a second.

import { $, bytes, clock, get, make, post } from './api.js';
import { showJobs } from './jobs.js';
import { KINDS, Look } from './look.js';
import { models, needed, showModels } from './models.js';
import { Options, table } from './options.js';
import { bringIn, showOld } from './uploads.js';

const PARTS = ['films', 'film', 'queue', 'models'];
const WAYS = [['convert', '3D picture'], ['gen', 'Animate'], ['4d', 'Turntable']];
let film = null, way = 'convert', state = null, shown = '';

function say(text) {
  $('problem').hidden = !text;
  $('problem').firstElementChild.textContent = text || '';
}
$('problem').querySelector('button').onclick = () => say('');

// ---- parts of the page

async function route() {
  const [part, ident] = location.hash.replace(/^#\/?/, '').split('/');
  const wanted = part === 'film' && ident ? 'film' : PARTS.includes(part) && part !== 'film' ? part : 'films';
  for (const one of PARTS) $(one).hidden = one !== wanted;
  for (const one of ['films', 'queue', 'models']) $(`go-${one}`).toggleAttribute('aria-current', one === wanted || (wanted === 'film' && one === 'films'));
  if (wanted !== 'film') { look.close(); film = null; }
  try {
    if (wanted === 'films') await list();
    if (wanted === 'film') await openFilm(ident);
    if (wanted === 'models') { await models(); showModels(state?.download || {}, say); }
  } catch (error) { say(error.message); }
}
for (const part of ['films', 'queue', 'models']) $(`go-${part}`).onclick = () => { location.hash = `#/${part}`; };
$('back').onclick = () => { location.hash = '#/films'; };
addEventListener('hashchange', route);

// ---- films

async function list() {
  const { films, folder } = await get('films');
  $('folder').textContent = folder;
  $('none').hidden = films.length > 0;
  const key = JSON.stringify(films);
  if (key === shown) return;
  shown = key;
  $('list').replaceChildren(...films.map((one) => make('li', {}, make('button', { onclick: () => { location.hash = `#/film/${one.id}`; } },
    make('img', { src: `/api/studio/films/${one.id}/poster`, alt: '', loading: 'lazy', onerror: (event) => { event.target.removeAttribute('src'); } }),
    make('strong', {}, one.title), make('small', {}, `${one.kind}, ${bytes(one.size)}`)))));
}

const there = (count) => (ident) => {
  list();
  if (count === 1) location.hash = `#/film/${ident}`; // a single film is opened directly
};
const take = (files) => { if (files.length) bringIn([...files], there(files.length)); };
$('file').onchange = (event) => { take(event.target.files); event.target.value = ''; };
addEventListener('dragover', (event) => { event.preventDefault(); $('drop').classList.add('over'); });
addEventListener('dragleave', (event) => { if (!event.relatedTarget) $('drop').classList.remove('over'); });
addEventListener('drop', (event) => {
  event.preventDefault();
  $('drop').classList.remove('over');
  if (location.hash !== '#/films' && location.hash) location.hash = '#/films';
  take(event.dataTransfer.files);
});

// ---- one film

const look = new Look((facts) => {
  options.autoStrength(facts.auto_strength);
  $('kind-packed').textContent = facts.format.endsWith('sbs') ? 'Side by side' : facts.format;
});
const options = new Options($('options'), $('rest'), (name, moving) => { changed(moving); });

async function openFilm(ident) {
  if (film?.id === ident) return;
  $('convert').disabled = $('sample').disabled = true;
  film = await get(`films/${ident}`);
  $('title').textContent = film.title;
  $('facts').textContent = [`${film.width} × ${film.height}`, film.duration_s ? clock(film.duration_s) : '', film.rate ? `${film.rate.toFixed(2).replace(/\.?0+$/, '')} fps` : ''].filter(Boolean).join(', ');
  $('started').hidden = true;
  $('ways').hidden = film.kind !== 'still';
  $('ways').replaceChildren(...WAYS.map(([kind, title]) => make('button', { role: 'tab', id: `way-${kind}`, onclick: () => choose(kind) }, title)));
  await Promise.all([table('convert'), models()]);
  await choose('convert', remembered());
}

async function choose(kind, given = {}) {
  way = kind;
  for (const [one] of WAYS) $(`way-${one}`)?.setAttribute('aria-selected', one === kind);
  await options.use(kind, given);
  $('convert').textContent = { convert: 'Convert', gen: 'Animate', '4d': 'Make a turntable' }[kind];
  $('sample').hidden = $('live').hidden = film.kind === 'still';
  $('convert').disabled = $('sample').disabled = false;
  const at = film.duration_s ? Math.min(film.duration_s / 2, 600) : 0;
  look.open(film, look.film?.id === film.id ? look.at : at, await forLook());
  same();
}

// For other kinds of jobs, the preview shows only options that a conversion has too.
async function forLook() {
  const known = new Set((await table('convert')).map((field) => field.name));
  return Object.fromEntries(Object.entries(options.given).filter(([name]) => known.has(name) && (way === 'convert' || ['strength', 'convergence', 'pop_out', 'depth', 'format', 'preset'].includes(name))));
}

const place = () => `studio-options-${film?.id}`;
function remembered() {
  try { return JSON.parse(sessionStorage.getItem(place())) || {}; } catch { return {}; }
}

let timer = 0;
async function changed(moving) {
  look.options = await forLook();
  look.ask(moving);
  if (moving) return;
  if (way === 'convert') sessionStorage.setItem(place(), JSON.stringify(options.given));
  clearTimeout(timer);
  timer = setTimeout(same, 100);
}

async function same() {
  if (!film) return;
  try {
    const answer = await post('command', { film: film.id, kind: way, options: options.given });
    $('command').textContent = answer.command;
    needed(answer.weights, say);
    say('');
  } catch (error) { say(error.message); }
}
$('find').oninput = (event) => options.find(event.target.value);
$('copy').onclick = async () => {
  try { await navigator.clipboard.writeText($('command').textContent); $('copy').textContent = 'Copied'; } catch { getSelection().selectAllChildren($('command')); }
};

$('convert').onclick = () => start(false);
async function start(overwrite) {
  $('convert').disabled = true;
  try {
    await post('jobs', { film: film.id, kind: way, options: options.given, overwrite });
    tell('Added to the queue. ', make('button', { onclick: () => { location.hash = '#/queue'; } }, 'Open the queue'));
    say('');
    await again();
    location.hash = '#/queue';
  } catch (error) {
    if (error.status === 409 && error.message.includes('already exists')) tell('The result already exists. ', make('button', { onclick: () => start(true) }, 'Replace it'));
    else say(error.message);
  }
  $('convert').disabled = false;
}

function tell(...words) {
  $('started').hidden = false;
  $('started').replaceChildren(...words);
}

let sampling = false;
$('sample').onclick = async () => {
  try {
    await post('sample', { film: film.id, at: look.at, options: options.given });
    sampling = true;
    tell('Converting five seconds…');
    again();
  } catch (error) { say(error.message); }
};

$('live').onclick = async () => {
  try { location.href = `/watch/${(await post('live', { film: film.id, options: options.given })).film}`; } catch (error) { say(error.message); }
};

function showSample(sample) {
  if (!sampling || sample.state === 'none') return;
  if (sample.state === 'running') tell(sample.total ? `Converting five seconds: ${sample.done} of ${sample.total} frames.` : 'Converting five seconds…');
  if (sample.state === 'failed') { sampling = false; $('started').hidden = true; say(sample.error); }
  if (sample.state === 'done') {
    sampling = false;
    tell('Ready. ', make('a', { className: 'button primary', id: 'watch-sample', href: `/watch/${sample.film}` }, 'Watch it'), ` ${sample.line}`);
  }
}

// ---- once a second

let last = '';
async function again() {
  try {
    state = await get('state');
    if ($('problem').dataset.gone) { delete $('problem').dataset.gone; say(''); }
  } catch (error) {
    if (error.gone) $('problem').dataset.gone = '1';
    say(error.message);
    return;
  }
  const now = JSON.stringify(state);
  if (now === last) return;
  const got = JSON.stringify(state.download) !== JSON.stringify(last ? JSON.parse(last).download : {});
  last = now;
  showJobs(state, say);
  showOld(state.uploads);
  showSample(state.sample);
  if (got && state.download.state !== 'running') { await models(); same(); }
  if (!$('models').hidden) showModels(state.download, say);
}
document.addEventListener('look-again', again);
async function forever() {
  for (;;) {
    if (!document.hidden) {
      await again();
      if (!$('films').hidden) await list().catch(() => {}); // films copied into the folder appear; `again` tells what fails
    }
    const quiet = !state?.jobs.some((job) => job.state === 'running') && !sampling && state?.download.state !== 'running' && state?.send.state !== 'running';
    await new Promise((done) => setTimeout(done, quiet ? 2500 : 1000));
  }
}

let resized = 0;
addEventListener('resize', () => { clearTimeout(resized); resized = setTimeout(() => look.ask(), 400); });

// ---- keys and colours

addEventListener('keydown', (event) => {
  if (event.target.matches('input:not([type="range"]), select, textarea') || event.ctrlKey || event.metaKey || event.altKey || !film) return;
  const number = Number(event.key);
  if (event.key === 'Escape') location.hash = '#/films';
  else if (number >= 1 && number <= KINDS.length) look.show(KINDS[number - 1][0]);
  else if (event.key === '[') look.step(-1);
  else if (event.key === ']') look.step(1);
});

function colours(chosen) {
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  if (chosen) document.documentElement.dataset.theme = chosen;
  $('theme').textContent = dark ? 'Light' : 'Dark';
  $('theme').onclick = () => { const next = dark ? 'light' : 'dark'; localStorage.setItem('studio-theme', next); colours(next); };
}
colours(localStorage.getItem('studio-theme'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours(localStorage.getItem('studio-theme')));

window.studio = { look, options }; // for tests
route();
forever();
