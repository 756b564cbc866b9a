// Entries: to find, read and delete. Then the page begins.

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
