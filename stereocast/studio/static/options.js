// Forms generated from the settings. Values equal to the default aren't sent.

import { get, make } from './api.js';

// sliders with a narrower range or finer steps than the option's
const SLIDERS = {
  strength: [0, 6, 0.1], convergence: [0, 1, 0.01], pop_out: [0, 1, 0.01], edge_dilation: [0, 8, 1], amount: [0, 3, 0.1],
  seconds: [1, 20, 0.5], ipd_mm: [0, 120, 1],
};
const NAMES = {
  strength: 'Strength', convergence: 'Convergence', pop_out: 'Pop-out', edge_dilation: 'Edge dilation', fill: 'Fill',
  depth: 'Depth estimator', format: 'Format', preset: 'Headset', ipd_mm: 'Eye distance (mm)', model: 'Model', move: 'Camera move',
  amount: 'How far', seconds: 'Seconds', prompt: 'What happens', orbit: 'Turntable', fixed_view: 'View from the front', size: 'Size',
};
const tables = {};

export async function table(kind) {
  tables[kind] ??= await get(`options/${kind}`);
  return tables[kind];
}

export class Options {
  // `told(name, moving)`: a value changed; `moving` while a slider is being dragged
  constructor(shown, rest, told) {
    Object.assign(this, { shown, rest, told, given: {}, rows: new Map(), outputs: new Map() });
    for (const form of [shown, rest]) form.addEventListener('submit', (event) => event.preventDefault());
  }

  async use(kind, given = {}) {
    const fields = await table(kind);
    this.fields = new Map(fields.map((field) => [field.name, field]));
    this.given = Object.fromEntries(Object.entries(given).filter(([name]) => this.fields.has(name)));
    this.rows.clear();
    this.outputs.clear();
    this.shown.replaceChildren(...fields.filter((field) => field.shown).map((field) => this.row(field)));
    this.rest.replaceChildren(...fields.filter((field) => !field.shown).map((field) => this.row(field)));
  }

  value(name) {
    const field = this.fields.get(name);
    return this.given[name] ?? field?.usual ?? field?.default;
  }

  set(name, value, moving = false) {
    const field = this.fields.get(name);
    if (value === '' || value === null || value === field.default) delete this.given[name];
    else this.given[name] = value;
    this.told(name, moving);
  }

  row(field) {
    const id = `option-${field.name}`, title = NAMES[field.name] || field.flag.slice(2).replaceAll('-', ' ');
    const head = make('div', {}, make('label', { htmlFor: id }, title), make('code', {}, field.flag));
    const row = make('div', { className: 'option' }, head, this.control(field, id, head), make('p', { id: `${id}-help` }, field.help));
    row.querySelector(`#${id}`)?.setAttribute('aria-describedby', `${id}-help`);
    row.dataset.words = `${title} ${field.flag} ${field.help}`.toLowerCase();
    this.rows.set(field.name, row);
    return row;
  }

  control(field, id, head) {
    const value = this.value(field.name);
    if (field.kind === 'switch') {
      head.prepend(make('input', { type: 'checkbox', id, checked: value, onchange: (event) => this.set(field.name, event.target.checked) }));
      return '';
    }
    if (field.kind === 'choice') {
      const about = field.about || {}, words = field.optional ? ['', ...field.words] : field.words;
      return make('select', { id, onchange: (event) => this.set(field.name, this.typed(field, event.target.value)) },
        ...words.map((word) => make('option', { value: word, selected: String(value ?? '') === word }, word ? (about[word] ? `${word}: ${about[word]}` : word) : field.name === 'format' ? 'the headset’s format' : 'default')));
    }
    if (field.kind === 'text') {
      return make('input', { type: 'text', id, value: value ?? '', onchange: (event) => this.set(field.name, event.target.value.trim()) });
    }
    return SLIDERS[field.name] ? this.slider(field, id, head) : this.number(field, id);
  }

  typed(field, text) { return typeof field.default === 'number' ? Number(text) : text; }

  number(field, id) {
    const words = field.words, value = this.given[field.name] ?? field.default;
    const input = make('input', {
      type: words.length ? 'text' : 'number', id, value: value ?? '', placeholder: field.optional ? 'default' : '', step: field.step ?? 'any',
      min: field.low ?? '', max: field.high ?? '',
      onchange: () => {
        const text = input.value.trim();
        if (input.checkValidity()) this.set(field.name, text === '' || words.includes(text) ? text : Number(text));
      },
    });
    return input;
  }

  slider(field, id, head) {
    const [low, high, step] = SLIDERS[field.name], auto = field.words.includes('auto');
    const output = make('output', { htmlFor: id }), value = this.value(field.name);
    head.querySelector('code').replaceWith(output);
    head.title = field.flag;
    const input = make('input', { type: 'range', id, min: low, max: high, step, value: typeof value === 'number' ? value : (low + high) / 2 });
    const show = () => {
      const now = this.value(field.name);
      output.textContent = now === 'auto' ? `auto${output.dataset.auto ? ` (${output.dataset.auto})` : ''}` : now ?? 'default';
      button?.setAttribute('aria-pressed', now === 'auto');
    };
    const take = (moving) => { this.set(field.name, Number(input.value), moving); show(); };
    input.addEventListener('input', () => take(true));
    input.addEventListener('change', () => take(false));
    const button = auto ? make('button', {
      type: 'button', className: 'auto', title: 'Chosen for each shot', onclick: () => {
        const now = this.value(field.name) === 'auto';
        this.set(field.name, now ? Number(input.value) : 'auto');
        show();
      },
    }, field.name === 'strength' ? 'Auto strength' : 'Auto') : null;
    this.outputs.set(field.name, { output, input, show });
    show();
    return make('div', {}, input, button ?? '');
  }

  // The value of `auto` at the moment shown.
  autoStrength(percent) {
    const row = this.outputs.get('strength');
    if (!row) return;
    row.output.dataset.auto = `${percent} %`;
    if (this.value('strength') === 'auto') row.input.value = percent;
    row.show();
  }

  find(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rest.children) row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
  }
}
