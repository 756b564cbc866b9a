/** Entries as the page finds them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entryDetails, searchEntries } from '../../src/dashboard/entry-search.js';
import { figuresOf } from '../../src/dashboard/figures.js';
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
    (await figuresOf(core, { title: '', isReadOnly: true })).due.flatMap((each) =>
      each.entries > 0 ? each.label : [],
    );
  expect(await expires()).toBe('2026-01-01T00:00:40.000Z');
  expect(await due()).toEqual(['within a minute']);
  // In the end it is too old, however often it is read.
  while (clock.now() < Date.UTC(2026, 0, 3, 23, 59, 50)) {
    clock.advance(20_000);
    cache.getSync('search', 'otters');
  }
  expect(await expires()).toBe('2026-01-04T00:00:00.000Z');
});
