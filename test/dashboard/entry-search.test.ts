/** Entries as the page finds them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { entryDetails, searchEntries } from '../../src/dashboard/entry-search.js';
import { excerptOf } from '../../src/dashboard/excerpt.js';
import { countedBy, figuresOf } from '../../src/dashboard/figures.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { FakeClock } from '../../src/testing/index.js';

/** Goes on by so many ms whenever it is asked. */
class SteppingClock extends FakeClock {
  step = 0;
  asked = 0;

  override elapsed(): number {
    this.asked += 1;
    this.advance(this.step);
    return super.elapsed();
  }
}

test('a search ends when its time is over, also among entries of other methods', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-search-'));
  const clock = new SteppingClock();
  const cache = await CacheManager.open({ persist: true, persistDir: folder, clock });
  try {
    for (let id = 0; id < 50; id += 1) await cache.set('search', id, id);
    await cache.flush();
    const core = coreOf(cache)!;
    const ofAnother = { method: 'another', text: '' };
    expect(await searchEntries(core, ofAnother)).toEqual({ entries: [], lookedAt: 0, isCut: false });
    Object.assign(clock, { step: 300, asked: 0 });
    expect(await searchEntries(core, ofAnother)).toEqual({ entries: [], lookedAt: 0, isCut: true });
    expect(clock.asked).toBeLessThan(10);
    const { entries, isCut } = await searchEntries(core, { method: 'search', text: '' });
    expect(isCut).toBe(true);
    expect(entries.length).toBeLessThan(10);
  } finally {
    await cache.close();
    rmSync(folder, { recursive: true });
  }
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
    (
      await figuresOf(core, { title: '', isReadOnly: true, counted: countedBy(core), usage: [], lookups: [] })
    ).due.flatMap((each) => (each.entries > 0 ? each.label : []));
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
