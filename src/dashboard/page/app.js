// The page of the dashboard. Every text goes in as text: names and values are anybody's.

const byId = (id) => document.getElementById(id);
const embedded = byId('figures');
// As it stands there: `+`, `%` and `&` are characters of tokens too.
const token = location.hash.replace(/^#token=/, '');
const count = new Intl.NumberFormat('en-US');
const colors = ['#2f7de1', '#d9822b', '#2e9e5b', '#a04bd0', '#d0456b'];
/** Points of the charts that are kept. */
const mostPoints = 600;
/** Methods with a line of their own. */
const mostLines = 4;

function element(name, text, options = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(options)) made[key] = value;
  return made;
}

function formatShare(part, whole) {
  if (!(whole > 0) || !(part > 0)) return '0 %';
  if (part === whole) return '100 %';
  return `${Math.min(99.9, Math.max(0.1, (part / whole) * 100)).toFixed(1)} %`;
}

function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${Number.isInteger(amount) || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`;
}

/** Above it hours would have more digits than anybody reads. */
const longestMs = 1e15;

function formatMs(ms) {
  if (!(ms < longestMs)) return Number.isFinite(ms) ? '> 31,000 years' : '–';
  if (ms > 0 && ms < 0.1) return `${(ms * 1000).toFixed(1)} µs`;
  if (ms > 0 && ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} m ${seconds % 60} s`
    : `${count.format(Math.floor(minutes / 60))} h ${minutes % 60} m`;
}

const formatTime = (ms) =>
  typeof ms === 'number' ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : '';

/** As `toolstash report` counts them: `lookups` are those that `hitRate` is of, `calls` those without a key too. */
function callsOf(stats) {
  const hits = stats.hits + stats.staleHits - stats.staleIfErrors - stats.softTimeouts;
  const lookups = hits + stats.coalesced + stats.misses;
  return { lookups, calls: lookups + stats.uncached };
}

/** What tables show. */
const shownIn = new WeakMap();

function fillTable(table, head, rows) {
  // Drawn anew it would take the button away that somebody is about to press.
  const shown = JSON.stringify([head, rows], (_, cell) => (cell instanceof Node ? cell.dataset.id : cell));
  if (shownIn.get(table) === shown) return;
  shownIn.set(table, shown);
  const focused = table.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  const header = element('tr');
  for (const title of head) header.append(element('th', title, { scope: 'col' }));
  const body = rows.map((cells) => {
    const row = element('tr');
    for (const cell of cells) {
      const place = element('td');
      if (cell instanceof Node) place.append(cell);
      else if (typeof cell === 'object' && cell !== null) {
        place.textContent = cell.text;
        place.className = 'text';
      } else place.textContent = cell;
      row.append(place);
    }
    return row;
  });
  const [thead, tbody] = [element('thead'), element('tbody')];
  thead.append(header);
  tbody.append(...body);
  table.replaceChildren(thead, tbody);
  // Figures are drawn anew each second: whoever goes through them by keyboard stays where they are.
  if (focused) table.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function showCards(figures) {
  const { stats } = figures;
  const { calls } = callsOf(stats);
  const isOfFiles = calls === 0 && figures.partitions !== undefined;
  const ofCalls = [
    ['Hit rate', formatShare(stats.hitRate, 1)],
    ['Calls', count.format(calls)],
    ['Hits', count.format(stats.hits)],
    ['Coalesced', count.format(stats.coalesced)],
    ['Misses', count.format(stats.misses)],
    ['Time saved', formatMs(stats.savedMs)],
    ['Load p50', formatMs(stats.loadTime.p50)],
    ['Load p99', formatMs(stats.loadTime.p99)],
  ];
  const cards = [
    // What was asked for, those know who asked: a folder has only what came of it.
    ...(isOfFiles ? [] : ofCalls),
    ['Entries in memory', count.format(stats.entries)],
    ['Bytes in memory', formatBytes(stats.bytes)],
    ...figures.tiers.flatMap(({ name, entries }) =>
      typeof entries === 'number' ? [[`Entries on ${name}`, count.format(entries)]] : [],
    ),
    ['Evicted', count.format(stats.evicted)],
    ['Expired', count.format(stats.expired)],
    ['Replaced', count.format(stats.replaced)],
    ['Invalidated', count.format(stats.invalidated)],
    ['Deleted', count.format(stats.deletes)],
    ['Tool errors', count.format(stats.loadErrors)],
    ['Cache errors', count.format(stats.cacheErrors)],
    ...(stats.circuit ? [['Circuit', stats.circuit]] : []),
    ...(stats.remote
      ? [
          ['Redis', stats.remote.isConnected ? 'connected' : (stats.remote.problem ?? 'not asked')],
          ['Changes to send', count.format(stats.remote.pendingChanges)],
          // Before the first contact it is no number, in JSON a text.
          ['Behind Redis at most', formatMs(Number(stats.remote.contactAgeMs))],
        ]
      : []),
  ];
  byId('cards').replaceChildren(
    ...cards.map(([name, value]) => {
      const card = element('div');
      const dd = element('dd', value);
      dd.dataset.figure = name;
      card.append(element('dt', name), dd);
      return card;
    }),
  );
}

function actionButton(text, id, act) {
  const button = element('button', text, { type: 'button', className: 'danger', onclick: act });
  button.dataset.id = id;
  return button;
}

function entryButton(method, key) {
  const button = element('button', key.slice(0, 12), {
    type: 'button',
    className: 'link',
    title: key,
    onclick: () => showEntry(method, key),
  });
  button.dataset.id = `entry ${method} ${key}`;
  return button;
}

function showMethods({ methods, methodsLeftOut, isReadOnly, partitions = [] }) {
  const canChange = !isReadOnly && !embedded;
  const hasCircuits = methods.some(({ stats }) => stats.circuit);
  fillTable(
    byId('methods'),
    [
      'Method',
      'Calls',
      'Hit rate',
      'Saved',
      'Load p50',
      'Load p99',
      'Entries',
      'Bytes',
      'Evicted',
      'Expired',
      ...(hasCircuits ? ['Circuit'] : []),
      ...(canChange ? [''] : []),
    ],
    methods.map(({ name, stats }) => [
      name,
      count.format(callsOf(stats).calls),
      formatShare(stats.hitRate, 1),
      formatMs(stats.savedMs),
      formatMs(stats.loadTime.p50),
      formatMs(stats.loadTime.p99),
      count.format(stats.entries),
      formatBytes(stats.bytes),
      count.format(stats.evicted),
      count.format(stats.expired),
      ...(hasCircuits ? [stats.circuit ?? ''] : []),
      ...(canChange ? [actionButton('Clear', `clear ${name}`, () => clearMethod(name))] : []),
    ]),
  );
  byId('methods-more').textContent =
    methodsLeftOut > 0 ? `and ${count.format(methodsLeftOut)} methods with fewer calls` : '';
  const known = new Set([
    ...methods.map(({ name }) => name),
    ...partitions.flatMap(({ method }) => method ?? []),
  ]);
  const names = byId('method-names');
  if (names.childElementCount !== known.size)
    names.replaceChildren(...[...known].map((value) => element('option', undefined, { value })));
}

function showTiers({ stats, tiers, usage, lookups }) {
  const sumOf = (name, field) =>
    usage
      .filter(({ tier }) => tier === name)
      .reduce((sum, each) => (typeof each[field] === 'number' ? (sum ?? 0) + each[field] : sum), undefined);
  const rows = [
    { name: 'memory', entries: stats.entries, bytes: stats.bytes },
    ...tiers.map(({ name, entries }) => ({
      name,
      entries: sumOf(name, 'entries') ?? entries,
      bytes: sumOf(name, 'bytes'),
    })),
  ];
  const known = (value, format) => (typeof value === 'number' ? format(value) : '');
  fillTable(
    byId('tiers'),
    ['Tier', 'Entries', 'Bytes', 'Look p50', 'Look p99', 'Looks timed'],
    rows.map(({ name, entries, bytes }) => {
      const times = lookups.find(({ tier }) => tier === name);
      return [
        name,
        known(entries, (value) => count.format(value)),
        known(bytes, formatBytes),
        known(times?.p50, formatMs),
        known(times?.p99, formatMs),
        known(times?.looks, (value) => count.format(value)),
      ];
    }),
  );
  byId('tiers-note').textContent = lookups.some(({ tier }) => tier === 'memory')
    ? 'Of memory some lookups are tried each time, so that hits need not be timed.'
    : '';
  const files = usage.filter(({ method }) => method);
  byId('usage-section').hidden = files.length === 0;
  fillTable(
    byId('usage'),
    ['Method', 'Tier', 'Entries', 'Bytes', 'Files'],
    files
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 200)
      .map(({ method, tier, entries, bytes, files: number }) => [
        method,
        tier,
        count.format(entries),
        known(bytes, formatBytes),
        known(number, (value) => count.format(value)),
      ]),
  );
}

function showRemarks({ remarks }) {
  byId('remarks-section').hidden = remarks.length === 0;
  byId('remarks').replaceChildren(...remarks.map((text) => element('li', text)));
}

function showPartitions({ partitions }) {
  // None yet, while they are read.
  byId('partitions-section').hidden = !partitions?.length;
  if (!partitions) return;
  fillTable(
    byId('partitions'),
    ['Method', 'Files', 'Bytes', 'Values written', 'Deletions', 'Expired', 'Oldest', 'Newest'],
    partitions.map((each) => [
      each.method ?? '(not told)',
      count.format(each.partitions),
      formatBytes(each.bytes),
      count.format(each.values),
      count.format(each.deletions),
      count.format(each.expired),
      formatTime(each.oldest),
      formatTime(each.newest),
    ]),
  );
}

function showMemory({ top, due, lookedAt, stats }) {
  fillTable(
    byId('top'),
    ['Method', 'Key', 'Uses', 'Saved', 'Bytes'],
    top.map(({ method, key, uses, savedMs, bytes }) => [
      method,
      embedded ? key.slice(0, 12) : entryButton(method, key),
      count.format(uses),
      formatMs(savedMs),
      formatBytes(bytes),
    ]),
  );
  fillTable(
    byId('due'),
    ['Expires', 'Entries'],
    due.map(({ label, entries }) => [label, count.format(entries)]),
  );
  byId('looked-at').textContent = lookedAt < stats.entries ? `of ${count.format(lookedAt)} entries` : '';
}

/** A line for all and one for each of some methods. */
class Chart {
  /** Methods of the lines; '' is all of them. */
  names = [];
  data = [[]];

  constructor(place) {
    const size = () => ({ width: Math.max(200, place.clientWidth), height: 200 });
    const axis = {
      stroke: () => getComputedStyle(byId('status')).color,
      grid: { stroke: '#8884', width: 1 },
      ticks: { stroke: '#8884' },
    };
    this.plot = new uPlot(
      {
        ...size(),
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.05)] } },
        axes: [axis, { ...axis, size: 60 }],
        series: [{}],
        legend: { live: false },
      },
      this.data,
      place,
    );
    new ResizeObserver(() => this.plot.setSize(size())).observe(place);
  }

  /** Begins lines where names are new; the others keep their past. */
  setNames(names) {
    for (const [at, name] of names.entries()) {
      if (this.names[at] === name) continue;
      if (at < this.names.length) this.plot.delSeries(at + 1);
      const width = at === 0 ? 2 : 1.25;
      this.plot.addSeries(
        { label: name || 'all methods', stroke: colors[at], width, spanGaps: true },
        at + 1,
      );
      this.names[at] = name;
      this.data[at + 1] = this.data[0].map(() => null);
    }
  }

  add(time, values) {
    this.data[0].push(time / 1000);
    for (const [at, value] of values.entries()) this.data[at + 1].push(value);
    if (this.data[0].length > mostPoints) for (const each of this.data) each.shift();
    this.plot.setData(this.data);
  }
}

let charts;
let before;
/** What was before the page was opened, until it is drawn. */
let past = [];

/** The methods with most calls. A line stays while its method is among twice as many: they change places all the time. */
function linesOf(shown, methods) {
  const [most, near] = [mostLines, 2 * mostLines].map((length) =>
    methods.slice(0, length).map(({ name }) => name),
  );
  const others = most.filter((name) => !shown.includes(name));
  const kept = shown.map((name) => (near.includes(name) ? name : (others.shift() ?? name)));
  return [...kept, ...others].slice(0, mostLines);
}

/** A point for each chart and method, of what happened between two moments. */
function pointsOf(now, then, elapsed) {
  if (!now || !then) return {};
  const [a, b] = [callsOf(now), callsOf(then)];
  const calls = a.calls - b.calls;
  const lookups = a.lookups - b.lookups;
  // By the rate itself, which knows that a call that joined a failing load was answered by none.
  const fromCache = now.hitRate * a.lookups - then.hitRate * b.lookups;
  const loads = now.loadTime.count - then.loadTime.count;
  const loadMs = now.loadTime.count * now.loadTime.mean - then.loadTime.count * then.loadTime.mean;
  return {
    rate: lookups > 0 ? Math.max(0, Math.min(100, (100 * fromCache) / lookups)) : null,
    calls: Math.max(0, (1000 * calls) / elapsed),
    loads: loads > 0 ? Math.max(0, loadMs / loads) : null,
    saved: Math.max(0, (now.savedMs - then.savedMs) / elapsed),
  };
}

function addMoment({ time, stats, methods }) {
  const all = new Map([['', stats], ...methods.map(({ name, stats: own }) => [name, own])]);
  if (before && time > before.time) {
    const lines = charts.rate.names.map((name) =>
      pointsOf(all.get(name), before.all.get(name), time - before.time),
    );
    for (const [kind, chart] of Object.entries(charts))
      chart.add(
        time,
        lines.map((line) => line[kind] ?? null),
      );
  }
  before = { time, all };
}

function showCharts(figures) {
  charts ??= {
    rate: new Chart(byId('chart-rate')),
    calls: new Chart(byId('chart-calls')),
    loads: new Chart(byId('chart-loads')),
    saved: new Chart(byId('chart-saved')),
  };
  const names = ['', ...linesOf(charts.rate.names.slice(1), figures.methods)];
  for (const chart of Object.values(charts)) chart.setNames(names);
  for (const moment of past) addMoment(moment);
  past = [];
  addMoment(figures);
}

/** What a file can show without a past: a bar for each method. */
function showStillCharts({ methods }) {
  const shown = methods.slice(0, 12);
  const draw = (id, caption, of) => {
    const place = byId(id);
    place.parentElement.querySelector('figcaption').textContent = caption;
    const most = Math.max(1, ...shown.map(of));
    place.replaceChildren(
      ...shown.map((each) => {
        const row = element('div', undefined, { className: 'bar' });
        const meter = element('meter', undefined, { min: 0, max: most, value: of(each) });
        meter.setAttribute('aria-label', each.name);
        row.append(element('span', each.name), meter);
        return row;
      }),
    );
  };
  draw('chart-rate', 'Hit rate by method', ({ stats }) => stats.hitRate);
  draw('chart-calls', 'Time saved by method', ({ stats }) => stats.savedMs);
  draw('chart-loads', 'Mean time of a load by method', ({ stats }) => stats.loadTime.mean);
  draw('chart-saved', 'Entries in memory by method', ({ stats }) => stats.entries);
}

function show(figures) {
  const isIdle = figures.partitions !== undefined && callsOf(figures.stats).calls === 0;
  byId('charts').hidden = isIdle;
  byId('methods-section').hidden = isIdle && figures.methods.length === 0;
  byId('memory').hidden = isIdle && figures.stats.entries === 0;
  document.title = figures.title;
  byId('title').textContent = figures.title;
  byId('invalidate').hidden = figures.isReadOnly;
  byId('entry-delete').hidden = figures.isReadOnly;
  showCards(figures);
  showMethods(figures);
  showTiers(figures);
  showRemarks(figures);
  showPartitions(figures);
  showMemory(figures);
  if (embedded) showStillCharts(figures);
  else showCharts(figures);
  byId('status').textContent =
    `${embedded ? 'As of' : 'Live,'} ${formatTime(figures.time)} UTC${figures.isReadOnly && !embedded ? ' · read-only' : ''}`;
}

async function ask(name, body = {}) {
  const response = await fetch(name, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-toolstash-token': token },
    body: JSON.stringify(body),
  });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error ?? `The server answered ${response.status}`);
}

const askJson = (name, body) => ask(name, body).then((response) => response.json());

function complain(error) {
  byId('status').textContent = error.message;
}

/** Reads server-sent events. By fetch, as an EventSource can't send the token. */
async function listen() {
  for (;;) {
    try {
      const reader = (await ask('events')).body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          // Not by lines: texts may hold what ends one for JavaScript, not for JSON.
          const data = event.slice(event.indexOf('data: ') + 6);
          if (event.startsWith('event: problem')) complain(new Error(JSON.parse(data)));
          // After a break in the connection what was missed is known there.
          else if (event.startsWith('event: past'))
            past = JSON.parse(data).filter(({ time }) => !before || time > before.time);
          else show(JSON.parse(data));
        }
      }
      byId('status').textContent = 'Connection lost, trying again …';
    } catch (error) {
      complain(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/** Entries found so far, and how to go on where there is more to look at. */
let found = [];
let cursor;
/** Counts searches: what an earlier one comes to late is not shown. */
let searches = 0;

async function search(event) {
  event?.preventDefault();
  found = [];
  cursor = undefined;
  await searchStep('search', { method: byId('search-method').value, text: byId('search-text').value });
}

async function searchStep(name, body) {
  searches += 1;
  const own = searches;
  byId('search-on').disabled = true;
  byId('search-note').textContent = 'Searching …';
  try {
    const { entries, lookedAt, total, isCut, cursor: next } = await askJson(name, body);
    if (own !== searches) return;
    found.push(...entries);
    cursor = next;
    const among =
      total > lookedAt ? `${count.format(lookedAt)} of ${count.format(total)}` : count.format(lookedAt);
    byId('search-note').textContent =
      `${count.format(found.length)} found, searched ${among}${isCut ? '; there is more to search' : ''}`;
    fillTable(
      byId('found'),
      ['Method', 'Key', 'Tier', 'Params'],
      found.map(({ method, key, tier, params }) => [
        method,
        entryButton(method, key),
        tier,
        { text: params ?? '(not kept)' },
      ]),
    );
  } catch (error) {
    if (own !== searches) return;
    cursor = undefined;
    byId('search-note').textContent = error.message;
  }
  byId('search-on').hidden = cursor === undefined;
  byId('search-on').disabled = false;
}

async function showEntry(method, key) {
  try {
    const entry = await askJson('entry', { method, key });
    if (entry === null) throw new Error('This entry is gone');
    byId('entry-title').textContent = `${method} ${key}`;
    const facts = [...(entry.params === undefined ? [] : [['params', entry.params]]), ...entry.facts];
    byId('entry-facts').replaceChildren(
      ...facts.flatMap(([name, value]) => [element('dt', name), element('dd', value)]),
    );
    byId('entry-value').textContent = entry.value;
    byId('entry-delete').onclick = () => change('delete', { method, key }, `Delete this entry of ${method}?`);
    byId('entry').showModal();
  } catch (error) {
    complain(error);
  }
}

async function change(name, body, question) {
  if (!confirm(question)) return;
  try {
    await ask(name, body);
    byId('entry').close();
    if (byId('found').rows.length > 0) await search();
  } catch (error) {
    complain(error);
  }
}

const clearMethod = (method) => change('clear', { method }, `Delete all entries of ${method}?`);

byId('theme').onclick = () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
};
byId('search').onsubmit = search;
byId('search-on').onclick = () => searchStep('search-on', { cursor });
byId('invalidate').onsubmit = (event) => {
  event.preventDefault();
  const tag = byId('invalidate-tag').value;
  void change('invalidate', { tag }, `Invalidate all entries with the tag ${tag}?`);
};
byId('entry-close').onclick = () => byId('entry').close();

if (embedded) {
  byId('search-section').hidden = true;
  show(JSON.parse(embedded.textContent));
} else {
  void listen();
  // The token may be another one.
  addEventListener('hashchange', () => location.reload());
}
