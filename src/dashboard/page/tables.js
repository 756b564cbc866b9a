// What the page shows besides its charts.

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
