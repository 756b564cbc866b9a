/** Caches that share a folder: what one writes and deletes, the others have within an interval. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../helper/disk-tier.js';

let folder: string;
const caches: CacheManager[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-shared-'));
});

afterEach(async () => {
  for (const cache of caches.splice(0)) await cache.close();
  rmSync(folder, { recursive: true, force: true });
});

async function share(clock: FakeClock, options: CacheOptions = {}): Promise<CacheManager> {
  const cache = await CacheManager.open({
    persist: true,
    persistDir: folder,
    mode: 'multi',
    consolidateInterval: null,
    clock,
    ...options,
  });
  caches.push(cache);
  return cache;
}

/** Lets an interval pass, after which `to` has pulled in what `from` has written. */
async function sync(clock: FakeClock, from: CacheManager, to: CacheManager): Promise<void> {
  const mark = clock.now();
  await from.set('mark', mark, 'pulled in');
  await from.flush();
  clock.advance(5_000);
  await expect.poll(() => to.get('mark', mark)).toBe('pulled in');
}

describe('a shared folder', () => {
  it('tells others of what was deleted and cleared however short `tombstoneTtl` is', async () => {
    const clock = new FakeClock(testStart);
    const one = await share(clock, { tombstoneTtl: 1 });
    const two = await share(clock, { tombstoneTtl: 1 });
    await one.set('search', 1, 'deleted');
    await one.set('fetch', 2, 'cleared');
    await one.set('fetch', 3, 'tagged', { tags: ['a'] });
    await one.set('search', 4, 'stays');
    await one.flush();
    await two.load();
    expect(await two.get('search', 1)).toBe('deleted');
    expect(await two.get('fetch', 2)).toBe('cleared');
    expect(await two.get('fetch', 3)).toBe('tagged');
    clock.advance(10);
    await one.delete('search', 1);
    await one.invalidateTags(['a']);
    await one.flush();
    clock.advance(10);
    // What is deleted is in no file any more, and what tells of that might be in none either.
    for (let time = 0; time < 3; time += 1) await one.consolidate();
    await two.load();
    expect(await two.get('search', 1)).toBeUndefined();
    expect(await two.get('fetch', 3)).toBeUndefined();
    await one.clear('fetch');
    await one.flush();
    clock.advance(10);
    for (let time = 0; time < 3; time += 1) await one.consolidate();
    await two.load();
    expect(await two.get('fetch', 2)).toBeUndefined();
    expect(await two.get('search', 4)).toBe('stays');
  });

  it('carries values, replacements, deletions and clears to the memory of others within an interval', async () => {
    const clock = new FakeClock(testStart);
    const one = await share(clock);
    const two = await share(clock);
    await one.set('search', 1, 'a');
    await one.set('search', 2, 'b');
    await one.set('fetch', 3, 'c');
    await sync(clock, one, two);
    expect(await two.get('search', 1)).toBe('a');
    expect(await two.get('search', 2)).toBe('b');
    expect(await two.get('fetch', 3)).toBe('c');
    await one.set('search', 1, 'newer');
    await one.delete('search', 2);
    expect(two.peek('search', 1)).toBe('a');
    await sync(clock, one, two);
    await expect.poll(() => two.peek('search', 1)).toBeUndefined();
    expect(two.peek('fetch', 3)).toBe('c');
    expect(await two.get('search', 1)).toBe('newer');
    expect(await two.get('search', 2)).toBeUndefined();
    await one.clear('fetch');
    await sync(clock, one, two);
    await expect.poll(() => two.peek('fetch', 3)).toBeUndefined();
    expect(await two.get('fetch', 3)).toBeUndefined();
    expect(await two.get('search', 1)).toBe('newer');
  });

  it('forgets a remembered error once another process has written its key, or invalidated its tag', async () => {
    const clock = new FakeClock(testStart);
    const one = await share(clock);
    const two = await share(clock, { cacheErrors: () => '1h', tags: ['pages'] });
    const fail = (params: number) => two.getOrSet('page', params, () => Promise.reject(new Error('gone')));
    for (const params of [1, 2]) await expect(fail(params)).rejects.toThrow('gone');
    await one.set('page', 1, 'there');
    await sync(clock, one, two);
    expect(await two.getOrSet('page', 1, () => 'not called')).toBe('there');
    await expect(two.getOrSet('page', 2, () => 'not called')).rejects.toThrow('gone');
    await one.invalidateTags(['pages']);
    await sync(clock, one, two);
    expect(await two.getOrSet('page', 2, () => 'there too')).toBe('there too');
  });

  it('never stores what was loaded while another process deleted it', async () => {
    const clock = new FakeClock(testStart);
    const one = await share(clock);
    const two = await share(clock);
    let finish: (value: string) => void = () => undefined;
    let begins = 0;
    const load = () => {
      begins += 1;
      return new Promise<string>((resolve) => (finish = resolve));
    };
    const loading = two.getOrSet('search', 1, load);
    await expect.poll(() => begins).toBe(1);
    clock.advance(1);
    await one.delete('search', 1);
    await sync(clock, one, two);
    finish('outdated');
    expect(await loading).toBe('outdated');
    expect(await two.get('search', 1)).toBeUndefined();
  });

  for (const [name, shift] of [
    ['an hour fast', 3_600_000],
    ['an hour slow', -3_600_000],
  ] as const) {
    it(`holds the newest of what processes have seen of each other, with a clock ${name}`, async () => {
      const clock = new FakeClock(testStart);
      const offClock = new FakeClock(testStart + shift);
      const one = makeDiskTier({ persistDir: folder, mode: 'multi', clock });
      const off = makeDiskTier({ persistDir: folder, mode: 'multi', clock: offClock });
      await one.tier.open();
      await off.tier.open();
      const pass = async (from: typeof one, to: typeof one) => {
        await from.tier.flush();
        await to.tier.load();
      };
      for (let round = 0; round < 3; round += 1) {
        off.set('search', 1, `off ${round}`);
        await pass(off, one);
        expect(await one.get('search', 1)).toBe(`off ${round}`);
        one.delete('search', 1);
        await pass(one, off);
        expect(await off.get('search', 1)).toBeUndefined();
        off.set('search', 1, 'again');
        await pass(off, one);
        one.set('search', 1, `one ${round}`);
        await pass(one, off);
        expect(await off.get('search', 1)).toBe(`one ${round}`);
        off.tier.clear('search', off.stamps.next());
        await pass(off, one);
        expect(await one.get('search', 1)).toBeUndefined();
        clock.advance(1_000);
        offClock.advance(1_000);
      }
      await one.tier.close();
      await off.tier.close();
      const after = makeDiskTier({ persistDir: folder, clock });
      expect(await after.get('search', 1)).toBeUndefined();
      await after.tier.close();
    });
  }

  it('holds the newest when a clock jumps back by an hour', async () => {
    const clock = new FakeClock(testStart);
    const one = makeDiskTier({ persistDir: folder, mode: 'multi', clock });
    one.set('search', 1, 'before');
    await one.tier.flush();
    clock.setWallTime(testStart - 3_600_000);
    one.set('search', 1, 'after');
    await one.tier.flush();
    await one.tier.close();
    const later = new FakeClock(testStart - 3_600_000);
    const two = makeDiskTier({ persistDir: folder, mode: 'multi', clock: later });
    expect(await two.get('search', 1)).toBe('after');
    two.delete('search', 1);
    await two.tier.close();
    const three = makeDiskTier({ persistDir: folder, clock: later });
    expect(await three.get('search', 1)).toBeUndefined();
    await three.tier.close();
  });

  it('lets a newer entry of another writer win over one that waits to be written', async () => {
    const clock = new FakeClock(testStart);
    const one = makeDiskTier({ persistDir: folder, mode: 'multi', clock });
    const two = makeDiskTier({ persistDir: folder, mode: 'multi', clock: new FakeClock(testStart + 10) });
    await one.tier.open();
    one.set('search', 1, 'older, waiting');
    two.set('search', 1, 'newer');
    await two.tier.flush();
    await one.tier.load();
    expect(await one.get('search', 1)).toBe('newer');
    await one.tier.flush();
    expect(await one.get('search', 1)).toBe('newer');
    await one.tier.close();
    await two.tier.close();
  });
});
