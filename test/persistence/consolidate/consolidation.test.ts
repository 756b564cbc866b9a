/** Consolidation merges closed partitions and changes nothing that can be read, but for what it may drop. */

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DiskOptions } from '../../../src/persistence/disk-options.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../../helper/disk-tier.js';

const hour = 3_600_000;
const day = 24 * hour;
let folder: string;
let clock: FakeClock;
const open: TestTier[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-consolidation-'));
  clock = new FakeClock(testStart);
});

afterEach(async () => {
  for (const { tier } of open.splice(0)) await tier.close();
  rmSync(folder, { recursive: true, force: true });
});

function make(options: DiskOptions = {}): TestTier {
  const made = makeDiskTier({ persistDir: folder, clock, ...options });
  open.push(made);
  return made;
}

/** A tier that writes one batch and is gone. */
async function leave(write: (tier: TestTier) => void, options: DiskOptions = {}): Promise<void> {
  const one = makeDiskTier({ persistDir: folder, clock, ...options });
  await one.tier.open();
  write(one);
  await one.tier.close();
}

function partitions(): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.cache') || name.endsWith('.tmp')).sort();
}

/** Dates files as if they had been appended to just now, or at another time relative to now. */
function date(names: readonly string[], shift = 0): void {
  const time = new Date(clock.now() + shift);
  for (const name of names) utimesSync(join(folder, name), time, time);
}

function bytes(): number {
  return partitions().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

async function expectReadable(expected: Record<number, unknown>, options: DiskOptions = {}): Promise<void> {
  const fresh = makeDiskTier({ persistDir: folder, clock, ...options });
  for (const [key, value] of Object.entries(expected))
    expect([key, await fresh.get('search', Number(key))]).toEqual([key, value]);
  expect(fresh.errors).toEqual([]);
  await fresh.tier.close();
}

describe('consolidation', () => {
  it('makes one partition of all of a method and day, and tells what it read, wrote and dropped', async () => {
    for (let round = 0; round < 5; round += 1) {
      await leave((one) => {
        one.set('search', 1, `round ${round}`);
        one.set('search', 10 + round, 'kept');
      });
      clock.advance(10);
    }
    await leave((one) => one.delete('search', 10));
    await leave((one) => one.set('fetch', 1, 'alone'));
    expect(partitions()).toHaveLength(7);
    const one = make();
    one.set('search', 20, 'mine');
    const report = await one.tier.consolidate();
    expect(report).toMatchObject({
      merged: 1,
      readFiles: 7,
      readEntries: 12,
      writtenFiles: 1,
      writtenEntries: 7,
      failures: 0,
      dropped: { overwritten: 5, expired: 0, cleared: 0, aged: 0, deletions: 0 },
    });
    expect(report.bytes).toBe(bytes());
    expect(partitions()).toHaveLength(2);
    const values = { 1: 'round 4', 10: undefined, 11: 'kept', 14: 'kept', 20: 'mine' };
    for (const [key, value] of Object.entries(values))
      expect(await one.get('search', Number(key))).toBe(value);
    expect(one.tier.size).toBe(7);
    await expectReadable(values);
    one.set('search', 1, 'later');
    await one.tier.flush();
    await expectReadable({ ...values, 1: 'later' });
    expect(one.errors).toEqual([]);
  });

  it('does nothing when there is nothing to gain', async () => {
    await leave((one) => one.set('search', 1, 'a'));
    await leave((one) => one.set('search', 2, 'b'));
    const one = make();
    await one.tier.consolidate();
    const before = partitions();
    expect(await one.tier.consolidate()).toMatchObject({ merged: 0, readFiles: 0 });
    expect(partitions()).toEqual(before);
  });

  it('keeps the deletion of what an older file may hold, and drops it once none does and its time is over', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await leave((one) => one.set('search', 1, 'old'), { persistDir: elsewhere });
    clock.advance(day);
    await leave((one) => one.delete('search', 1));
    await leave((one) => one.set('search', 2, 'other'));
    clock.advance(40 * day);
    const one = make({ loadCache: elsewhere });
    expect((await one.tier.consolidate()).dropped.deletions).toBe(0);
    await expectReadable({ 1: undefined, 2: 'other' }, { loadCache: elsewhere });
    await one.tier.close();
    const two = make();
    expect((await two.tier.consolidate()).dropped.deletions).toBe(1);
    await expectReadable({ 1: undefined, 2: 'other' });
  });

  it('keeps deletions for `tombstoneTtl`', async () => {
    await leave((one) => one.delete('search', 1));
    await leave((one) => one.set('search', 2, 'other'));
    clock.advance(29 * day);
    expect((await make().tier.consolidate()).dropped.deletions).toBe(0);
    clock.advance(2 * day);
    expect((await make().tier.consolidate()).dropped.deletions).toBe(1);
  });

  it('makes deletions of what has expired, so that what it replaced does not come back', async () => {
    await leave((one) => one.set('search', 1, 'old, for ever'));
    clock.advance(day);
    await leave((one) => one.set('search', 1, 'new, for a while', { expiresAt: clock.now() + 1_000 }));
    await leave((one) => one.set('search', 2, 'other'));
    clock.advance(3 * hour);
    const one = make();
    expect((await one.tier.consolidate()).dropped.expired).toBe(1);
    await expectReadable({ 1: undefined, 2: 'other' });
  });

  it('drops what was cleared or invalidated, and nothing of it comes back', async () => {
    await leave((one) => {
      one.set('search', 1, 'cleared');
      one.set('fetch', 1, 'tagged', { tags: ['a'] });
      one.set('fetch', 2, 'tagged otherwise', { tags: ['b'] });
    });
    clock.advance(10);
    await leave((one) => {
      one.tier.clear('search', one.stamps.next());
      one.tier.invalidateTag('a', one.stamps.next());
      one.set('search', 2, 'after');
      one.set('fetch', 3, 'after');
    });
    const one = make();
    expect((await one.tier.consolidate()).dropped.cleared).toBe(2);
    await expectReadable({ 1: undefined, 2: 'after' });
    const fresh = make();
    expect(await fresh.get('fetch', 1)).toBeUndefined();
    expect(await fresh.get('fetch', 2)).toBe('tagged otherwise');
    expect(await fresh.get('fetch', 3)).toBe('after');
  });

  it('drops days that are too old', async () => {
    await leave((one) => one.set('search', 1, 'old'));
    clock.advance(3 * day);
    await leave((one) => one.set('search', 2, 'young'));
    const one = make({ maxDiskAge: '2d' });
    expect((await one.tier.consolidate()).dropped.aged).toBe(1);
    expect(await one.get('search', 1)).toBeUndefined();
    await expectReadable({ 1: undefined, 2: 'young' });
    expect(partitions()).toHaveLength(1);
  });

  it('keeps within `maxDiskBytes`, dropping the oldest first', async () => {
    for (let round = 0; round < 4; round += 1) {
      await leave((one) => {
        for (let key = 0; key < 50; key += 1) {
          one.set('search', round * 50 + key, `${round} ${'x'.repeat(20)}${Math.sin(key + round)}`.repeat(5));
          clock.advance(1);
        }
      });
      clock.advance(day);
    }
    const all = bytes();
    const one = make({ maxDiskBytes: Math.floor(all * 0.6) });
    const report = await one.tier.consolidate();
    expect(report.bytes).toBeLessThanOrEqual(all * 0.6);
    expect(report.bytes).toBe(bytes());
    expect(report.bytes).toBeGreaterThan(all * 0.3);
    expect(await one.get('search', 0)).toBeUndefined();
    expect(await one.get('search', 199)).toBeDefined();
    await expectReadable({ 0: undefined, 1: undefined });
  });

  it('takes the room from the method that takes most of it on the oldest day, not from whichever comes first', async () => {
    const small = ['fetch', 'read', 'search', 'write'];
    await leave((one) => {
      for (const method of small) one.set(method, 0, `${Math.sin(1)}`.repeat(5));
      for (let key = 0; key < 200; key += 1) {
        // Nothing that compresses well: what remains of a dropped key takes room too.
        const parts = Array.from({ length: 40 }, (_, part) => Math.sin(key * 40 + part));
        one.set('hog', key, parts.join());
        clock.advance(1);
      }
    });
    const one = make({ maxDiskBytes: Math.floor(bytes() * 0.7) });
    await one.tier.consolidate();
    for (const method of small) expect(await one.get(method, 0)).toBeDefined();
    expect(await one.get('hog', 0)).toBeUndefined();
    expect(await one.get('hog', 199)).toBeDefined();
  });

  it('runs by itself, merging small files and leaving large ones alone', async () => {
    await leave((one) => {
      for (let key = 0; key < 300; key += 1) one.set('search', key, `${Math.sin(key)}`.repeat(10));
    });
    await leave((one) => one.set('search', 1_000, 'a'));
    await leave((one) => one.set('search', 1_001, 'b'));
    const large = partitions()[0]!;
    const one = make({ consolidateInterval: '1h' });
    await one.tier.open();
    clock.advance(hour);
    for (let turn = 0; turn < 300 && partitions().length > 2; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(partitions()).toHaveLength(2);
    expect(existsSync(join(folder, large))).toBe(true);
    await expectReadable({ 0: '0000000000', 1000: 'a', 1001: 'b' });
  });

  it('by one process moves nothing out of sight of another', async () => {
    const options = { mode: 'multi', closeAfter: 1 } as const;
    const one = make(options);
    const two = make(options);
    for (let round = 0; round < 6; round += 1) {
      one.set('search', round, `value ${round}`);
      await one.tier.flush();
      await two.tier.load();
      await one.tier.consolidate();
      for (let key = 0; key <= round; key += 1) expect(await two.get('search', key)).toBe(`value ${key}`);
    }
    // An owner whose file was taken away writes its next batch elsewhere.
    two.set('search', 100, 'two');
    await two.tier.flush();
    await one.tier.load();
    clock.advance(hour);
    await one.tier.consolidate();
    two.set('search', 101, 'two');
    await two.tier.flush();
    await one.tier.load();
    expect(await one.get('search', 100)).toBe('two');
    expect(await one.get('search', 101)).toBe('two');
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('merges what another process has filled and left for the next file, but not the last', async () => {
    const one = make({ mode: 'multi' });
    const two = make({ mode: 'multi', partitionBytes: 1_000 });
    for (let round = 0; round < 4; round += 1) {
      const known = new Set(partitions());
      two.set('search', round, Array.from({ length: 90 }, (_, at) => Math.sin(at + round)).join());
      await two.tier.flush();
      clock.advance(1_000);
      date(partitions().filter((name) => !known.has(name)));
    }
    const last = partitions().find((name) => name.endsWith('_3.cache'))!;
    await one.tier.load();
    expect(await one.tier.consolidate()).toMatchObject({ merged: 1, readFiles: 3, failures: 0 });
    expect(partitions()).toHaveLength(2);
    expect(partitions()).toContain(last);
    for (const key of [0, 1, 2, 3]) expect(await two.get('search', key)).toContain(`${Math.sin(key)},`);
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('takes what another process has made of closed files for finished, and lets it go on in its own', async () => {
    const options = { mode: 'multi', closeAfter: '1h' } as const;
    for (const key of [1, 2, 3]) await leave((gone) => gone.set('search', key, `value ${key}`), options);
    const left = partitions();
    date(left, -2 * hour);
    const one = make({ ...options, consolidateInterval: '10m' });
    const two = make(options);
    one.set('search', 4, 'one');
    await one.tier.flush();
    const own = partitions().find((name) => !left.includes(name))!;
    date([own]);
    clock.advance(hour / 6);
    for (let turn = 0; turn < 300 && partitions().length > 2; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const product = partitions().find((name) => name !== own)!;
    date([product]);
    two.set('search', 5, 'two');
    expect(await two.tier.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
    expect(partitions()).toHaveLength(2);
    expect(partitions()).toContain(own);
    expect(partitions()).not.toContain(product);
  });
});
