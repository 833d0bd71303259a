// Requests to the server. An error is thrown as an Error with its one-line message and the rest of the answer in `more`.

export async function ask(path, { method = 'GET', body, json, signal } = {}) {
  let answer;
  try {
    answer = await fetch(`/api/studio/${path}`, {
      method: json ? 'POST' : method, body: json ? JSON.stringify(json) : body, signal,
      headers: json ? { 'Content-Type': 'application/json' } : {},
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw Object.assign(new Error('the studio doesn’t respond; is it still running?'), { gone: true });
  }
  if (answer.ok) return answer;
  let more = {};
  try { more = await answer.json(); } catch { /* not JSON: only the status is known */ }
  throw Object.assign(new Error(more.error || `the studio answered ${answer.status}`), { status: answer.status, more });
}

export const get = async (path) => (await ask(path)).json();
export const post = async (path, json = {}) => (await ask(path, { json })).json();

export const $ = (id) => document.getElementById(id);

export function make(tag, fields = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name in made && !name.startsWith('aria')) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((one) => one !== null && one !== ''));
  return made;
}

export function bytes(count) {
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]]) if (count >= size) return `${(count / size).toFixed(1)} ${unit}`;
  return `${count} bytes`;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds)), pad = (n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
