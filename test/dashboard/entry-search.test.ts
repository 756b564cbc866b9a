/** Entries as the page finds them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { entryDetails } from '../../src/dashboard/entry-details.js';
import type { EntryQuery } from '../../src/dashboard/entry-search.js';
import { excerptOf } from '../../src/dashboard/excerpt.js';
import { MemoryScan } from '../../src/dashboard/memory-scan.js';
import { PausedSearches } from '../../src/dashboard/paused-searches.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { FakeClock } from '../../src/testing/index.js';

/** All steps of a search, each of which is over after so many ms. */
async function searchAll(cache: CacheManager, query: EntryQuery, forMs = 1000) {
  const searches = new PausedSearches(coreOf(cache)!);
  try {
    const answers = [await searches.begin(query, forMs)];
    for (let { cursor } = answers[0]!; cursor !== undefined; cursor = answers.at(-1)!.cursor)
      answers.push(await searches.continue(cursor, forMs));
    return { answers, entries: answers.flatMap(({ entries }) => entries) };
  } finally {
    searches.close();
  }
}

describe('a search', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'toolstash-search-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('leaves nothing out, however short its steps are, and tells how far it is', async () => {
    await using cache = await CacheManager.open({
      ...{ persist: true, persistDir: folder, maxSize: 50, keepParams: true },
    });
    for (let id = 0; id < 350; id += 1) await cache.set('search', { id }, id);
    for (let id = 0; id < 9; id += 1) await cache.set('another', { id }, id);
    await cache.flush();
    const { answers, entries } = await searchAll(cache, { method: 'search', text: '' }, 0);
    expect(new Set(entries.map(({ key }) => key)).size).toBe(350);
    expect(entries).toHaveLength(350);
    expect(entries.every(({ method }) => method === 'search')).toBe(true);
    expect(answers.length).toBeGreaterThan(300);
    for (const [at, { lookedAt, total, isCut }] of answers.entries()) {
      expect(total).toBe(350);
      expect(isCut).toBe(at < answers.length - 1);
      // A step looks at one entry, or at none where the machine keeps it waiting.
      const before = answers[at - 1]?.lookedAt ?? 0;
      expect([before, before + 1]).toContain(lookedAt);
    }
    expect(answers.at(-1)?.lookedAt).toBe(350);
    // A page at a time where there is time enough.
    const inTime = await searchAll(cache, { method: '', text: '' }, 60_000);
    expect(inTime.answers.map((each) => each.entries.length)).toEqual([100, 100, 100, 59]);
    const one = await searchAll(cache, { method: '', text: '{"id":349}' }, 60_000);
    expect(one.answers).toMatchObject([{ entries: [{ method: 'search' }], lookedAt: 359, isCut: false }]);
  });

  test('of a method reads no files of others', async () => {
    await using cache = await CacheManager.open({ persist: true, persistDir: folder, maxSize: 1 });
    for (let id = 0; id < 20; id += 1)
      for (const method of ['search', 'another']) await cache.set(method, id, 'x'.repeat(100));
    await cache.flush();
    const core = coreOf(cache)!;
    const told = async (method?: string) => {
      const methods = new Map<string, number>();
      for await (const record of core.tiers.slow[0]!.entries(method))
        methods.set(record.method, (methods.get(record.method) ?? 0) + 1);
      return Object.fromEntries(methods);
    };
    expect(await told()).toEqual({ search: 20, another: 20 });
    expect(await told('search')).toEqual({ search: 20 });
  });

  test('finds what params say as JSON, as it was written or escaped, to their end', async () => {
    await using cache = new CacheManager({ keepParams: true });
    const all: Record<string, unknown> = {
      long: { q: `${'x'.repeat(150_000)}needle` },
      quotes: { q: "say 'hi'\nthere", z: '"' },
      person: { id: 42, name: 'Bob' },
      numbers: { limit: Number.POSITIVE_INFINITY, least: null },
      date: { at: new Date(0), of: { deep: true } },
    };
    for (const [id, params] of Object.entries(all)) cache.setSync('m', params, id);
    const keyOf = (id: string) => cache.method('m').key(all[id]);
    for (const [text, id] of [
      ['needle', 'long'],
      ["'hi'\nthere", 'quotes'],
      ["'hi'\\nthere", 'quotes'],
      ['"z":"\\""', 'quotes'],
      ['"name":"bob"', 'person'],
      ['"ID":42', 'person'],
      ['"limit":"infinity","least":null', 'numbers'],
      ['1970-01-01', 'date'],
      ['deep: true', 'date'],
      [keyOf('person').slice(3, 15).toUpperCase(), 'person'],
    ] as const)
      expect(
        (await searchAll(cache, { method: 'm', text })).entries.map(({ key }) => key),
        text,
      ).toEqual([keyOf(id)]);
    const [found] = (await searchAll(cache, { method: '', text: 'needle' })).entries;
    expect(found!.params).toMatch(/^{"q":"x{900,1000}… \(150014 characters\)$/);
    expect((await searchAll(cache, { method: 'm', text: 'no such text' })).entries).toEqual([]);
  });

  test('is forgotten for later ones, when it is over, and when the dashboard is closed', async () => {
    await using cache = new CacheManager();
    for (let id = 0; id < 300; id += 1) cache.setSync('m', id, id);
    const searches = new PausedSearches(coreOf(cache)!);
    const query = { method: 'm', text: '' };
    const cursors: string[] = [];
    for (let more = 0; more < 5; more += 1) cursors.push((await searches.begin(query)).cursor!);
    await expect(searches.continue(cursors[0]!)).rejects.toThrow('search again');
    const next = await searches.continue(cursors[1]!);
    expect(next).toMatchObject({ lookedAt: 200, total: 300, isCut: true });
    await expect(searches.continue(cursors[1]!)).rejects.toThrow('search again');
    expect(await searches.continue(next.cursor!)).toMatchObject({
      lookedAt: 300,
      isCut: false,
      cursor: undefined,
    });
    const underWay = searches.continue(cursors[2]!);
    searches.close();
    await expect(searches.continue((await underWay).cursor!)).rejects.toThrow('search again');
    await expect(searches.continue(cursors[3]!)).rejects.toThrow('search again');
  });
});

test('an entry that slides expires when it has gone unread for long enough', async () => {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, ttl: '30s', sliding: true, maxAge: '3d' });
  cache.setSync('search', 'otters', 1);
  clock.advance(10_000);
  expect(cache.getSync('search', 'otters')).toBe(1);
  const core = coreOf(cache)!;
  const expires = async () => {
    const details = await entryDetails(core, { method: 'search', key: cache.method('search').key('otters') });
    return details?.facts.find(([name]) => name === 'expires')?.[1];
  };
  const due = async () =>
    (await new MemoryScan(core).read()).due.flatMap((each) => (each.entries > 0 ? each.label : []));
  expect(await expires()).toBe('2026-01-01T00:00:40.000Z');
  expect(await due()).toEqual(['within a minute']);
  // In the end it is too old, however often it is read.
  while (clock.now() < Date.UTC(2026, 0, 3, 23, 59, 50)) {
    clock.advance(20_000);
    cache.getSync('search', 'otters');
  }
  expect(await expires()).toBe('2026-01-04T00:00:00.000Z');
});

describe('a value', () => {
  const shown = async (value: unknown) => {
    const cache = new CacheManager({ maxBytes: 2 ** 30 });
    cache.setSync('search', 'otters', value);
    const key = cache.method('search').key('otters');
    return (await entryDetails(coreOf(cache)!, { method: 'search', key }))!.value;
  };
  const rows = (length: number, row: (id: number) => unknown) =>
    Object.fromEntries(Array.from({ length }, (_, id) => [`row${id}`, row(id)]));

  test.each([
    ['of many keys', rows(15_000, (id) => ({ id, name: `name ${id}` }))],
    ['of many lists', rows(200, () => Array.from({ length: 500 }, (_, id) => id))],
    ['of many maps', { all: new Map(Array.from({ length: 400 }, (_, id) => [{ id }, rows(100, String)])) }],
    ['of many sets', Array.from({ length: 400 }, () => new Set(Object.keys(rows(100, String))))],
  ])('%s is cut before it is made a text', async (_name, value) => {
    const excerpt = excerptOf(value, 20_000);
    expect(excerpt.isWhole).toBe(false);
    const textOf = (part: unknown) =>
      inspect(part, { depth: 10, maxArrayLength: 1000, breakLength: 100 }).replace(/\(\d+\)/g, '');
    const [all, text] = [textOf(value), textOf(excerpt.value)];
    expect(text.length).toBeLessThan(all.length);
    expect(all.slice(0, 50_000)).toBe(text.slice(0, 50_000));
    expect(await shown(value)).toMatch(/… \(too large to show all of it\)$/);
  });

  test('that is small enough is shown as it is', async () => {
    const loop: Record<string, unknown> = { id: 1, list: Array.from({ length: 1200 }, (_, id) => id) };
    loop['self'] = loop;
    const values = [
      loop,
      JSON.parse('{"__proto__": 1}'),
      'text',
      null,
      new Date(0),
      new Map([[1, new Set(['a'])]]),
    ];
    for (const value of values) {
      expect(excerptOf(value, 5000)).toEqual({ value, isWhole: true });
      expect(excerptOf(value, 5000).value).toBe(value);
    }
    expect(await shown(new Map([[1, new Set(['a'])]]))).toBe("Map(1) { 1 => Set(1) { 'a' } }");
  });

  test('that is cut keeps its cycles and its key `__proto__`, and of deep ones what is shown', () => {
    const value: Record<string, unknown> = JSON.parse('{"__proto__": 1}');
    Object.assign(value, { value, rest: rows(100, String) });
    const { value: cut } = excerptOf(value, 50) as { value: Record<string, unknown> };
    expect(Object.keys(cut)).toEqual(['__proto__', 'value', 'rest']);
    expect(cut['value']).toBe(cut);
    expect(Object.keys(cut['rest'] as object)).toHaveLength(46);
    let deep: unknown = 1;
    for (let level = 0; level < 30_000; level += 1) deep = [deep];
    expect(excerptOf(deep, 20_000).isWhole).toBe(true);
  });
});
