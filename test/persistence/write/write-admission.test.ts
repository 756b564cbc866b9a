/** What waits to be written is bounded, on a slow disk as on a broken one; and nothing is written twice. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import type { FileSystem } from '../../../src/persistence/file-system.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, makeRecord, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';
import { type Gate, gate as makeGate } from '../../helper/gate.js';

const persistDir = '/data/cache';

/** A disk whose appends wait at a gate while it is shut. */
function makeSlowDisk() {
  const clock = new FakeClock(testStart);
  const disk = new FaultyFileSystem();
  disk.now = () => clock.now();
  const state: { gate: Gate<void> | undefined } = { gate: undefined };
  const files: FileSystem = {
    openToRead: (path) => disk.openToRead(path),
    list: (path) => disk.list(path),
    status: (path) => disk.status(path),
    makeFolder: (path, options) => disk.makeFolder(path, options),
    link: (path, newPath) => disk.link(path, newPath),
    rename: (path, newPath) => disk.rename(path, newPath),
    unlink: (path) => disk.unlink(path),
    syncFolder: (path) => disk.syncFolder(path),
    openToAppend: (path) => disk.openToAppend(path),
    create: async (path, mode) => {
      const file = await disk.create(path, mode);
      const append = async (bytes: Uint8Array) => {
        await state.gate?.promise;
        return file.append(bytes);
      };
      return { ...file, append };
    },
  };
  const shut = () => {
    state.gate = makeGate();
    return state.gate;
  };
  return { clock, disk, files, shut };
}

const large = (text: string) => text.padEnd(1_000, '.');

describe('a disk that is slower than what comes in', () => {
  it('bounds what waits, tells and counts what is dropped, and never answers what that has replaced', async () => {
    const { clock, files, shut } = makeSlowDisk();
    const options = { persistDir, files, clock, maxPendingBytes: 20_000, flushBytes: 5_000 };
    const one = makeDiskTier(options);
    for (let key = 0; key < 40; key += 1) one.set('search', key, 'old');
    await one.tier.flush();
    const gate = shut();
    for (let key = 0; key < 40; key += 1) {
      one.set('search', key, large('new'));
      expect(one.tier.bufferedBytes).toBeLessThan(20_000 + 40 * 150);
    }
    const { droppedEntries, failedFlushes } = one.tier.counters;
    expect(failedFlushes).toBe(0);
    expect(droppedEntries).toBeGreaterThan(20);
    expect(one.errors).toHaveLength(droppedEntries);
    expect(one.errors[0]).toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringMatching(/`maxPendingBytes` \(20000\) wait already as writing is slower/),
    });
    const flushed = one.tier.flush();
    gate.open();
    await flushed;
    await one.tier.close();
    const two = makeDiskTier(options);
    const values = await Promise.all(Array.from({ length: 40 }, (_, key) => two.get('search', key)));
    expect(values.filter((value) => value === large('new'))).toHaveLength(40 - droppedEntries);
    expect(values.filter((value) => value === undefined)).toHaveLength(droppedEntries);
    await two.tier.close();
  });

  it('drops nothing of a burst that stays within the bound, though one flush has not ended', async () => {
    const { clock, files, shut } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, maxPendingBytes: 100_000, flushBytes: 2_000 });
    const gate = shut();
    for (let key = 0; key < 70; key += 1) one.set('search', key, large(`${key}`));
    // Overwriting what waits takes no more room.
    for (let round = 0; round < 5; round += 1)
      for (let key = 60; key < 70; key += 1) one.set('search', key, large(`${key}`));
    expect(one.tier.counters).toMatchObject({ droppedEntries: 0, flushes: 1 });
    const flushed = one.tier.flush();
    gate.open();
    await flushed;
    expect(one.tier.counters.writtenEntries).toBe(70);
    expect(one.tier.bufferedBytes).toBe(0);
    await one.tier.close();
  });

  it('has written all that was set before a flush, also when another one began by itself meanwhile', async () => {
    const { clock, disk, files, shut } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, flushBytes: 2_000 });
    const gate = shut();
    for (let key = 0; key < 10; key += 1) one.set('search', key, large(`${key}`));
    const flushed = one.tier.flush();
    gate.open();
    await flushed;
    const two = makeDiskTier({ persistDir, files: disk, clock });
    for (let key = 0; key < 10; key += 1) expect(await two.get('search', key)).toBe(large(`${key}`));
    await two.tier.close();
    await one.tier.close();
  });

  it('is written to before the bound is reached, also where `flushBytes` lies above it', async () => {
    const { clock, files } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, maxPendingBytes: 10_000 });
    for (let key = 0; key < 50; key += 1) {
      one.set('search', key, large(`${key}`));
      await one.tier.backpressure();
    }
    await one.tier.flush();
    expect(one.tier.counters).toMatchObject({ droppedEntries: 0, writtenEntries: 50 });
    await one.tier.close();
  });

  it('takes one entry that is larger than the bound, when nothing else waits', async () => {
    const { clock, files } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, maxPendingBytes: 500 });
    one.set('search', 1, large('1'));
    one.set('search', 2, large('2'));
    await one.tier.flush();
    expect(one.tier.counters).toMatchObject({ droppedEntries: 1, writtenEntries: 1 });
    expect(await one.get('search', 1)).toBe(large('1'));
    await one.tier.close();
  });

  it('tells when there is room again: at the end of a flush, or in a second where that takes longer', async () => {
    const { clock, disk, files, shut } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, maxPendingBytes: 10_000 });
    await one.tier.open();
    expect(one.tier.backpressure()).toBeUndefined();
    const fill = () => {
      for (let key = 0; key < 6; key += 1) one.set('search', key, large(`${key}`));
    };
    fill();
    await one.tier.backpressure();
    expect(one.tier.bufferedBytes).toBeLessThan(5_000);
    const gate = shut();
    fill();
    let hasRoom = false;
    const room = one.tier.backpressure()!.then(() => {
      hasRoom = true;
    });
    await clock.advanceAsync(999);
    expect(hasRoom).toBe(false);
    clock.advance(1);
    await room;
    gate.open();
    await one.tier.flush();
    // While writing fails there is none to wait for.
    disk.failAt(disk.calls.length, 'ENOSPC', true);
    fill();
    await one.tier.flush().catch(() => undefined);
    expect(one.tier.bufferedBytes).toBeGreaterThan(5_000);
    expect(one.tier.backpressure()).toBeUndefined();
    disk.heal();
    await one.tier.close();
  });
});

describe('a cache that is filled at once with more than may wait', () => {
  for (const way of ['set', 'setMany'] as const) {
    it(`loses nothing of it where ${way} is awaited`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'toolstash-intake-'));
      const options = { persist: true, persistDir: folder, maxPendingBytes: 200_000, maxSize: 10 };
      const pairs = Array.from({ length: 1_000 }, (_, key) => [key, large(`${key}`)] as const);
      try {
        await using cache = await CacheManager.open(options);
        if (way === 'set') for (const [key, value] of pairs) await cache.set('search', key, value);
        else expect(await cache.setMany('search', pairs)).toEqual(pairs.map(() => true));
        expect(cache.stats().cacheErrors).toBe(0);
        for (const [key, value] of pairs) expect(await cache.get('search', key)).toBe(value);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

describe('an entry that is known already, by its stamp,', () => {
  const record = (value: unknown, at: number) =>
    makeRecord({
      method: 'search',
      params: 1,
      value,
      stamp: { time: testStart * 1_000 + at, writer: 'a'.repeat(16) },
      now: testStart,
    });

  it('is not written again, whether it waits, is written, or was deleted or cleared since', async () => {
    const { clock, disk, files } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock });
    const put = async (at: number) => {
      expect(one.tier.write(record('value', at))).toBe(true);
      await one.tier.flush();
      return disk.paths().reduce((sum, path) => sum + disk.peek(path).length, 0);
    };
    await one.tier.open();
    one.tier.write(record('value', 1));
    one.tier.write(record('value', 1));
    const bytes = await put(1);
    expect(one.tier.counters.writtenEntries).toBe(1);
    expect(await put(1)).toBe(bytes);
    expect(await put(0)).toBe(bytes);
    expect(await put(2)).toBeGreaterThan(bytes);
    clock.advance(1);
    one.delete('search', 1);
    const deleted = await put(2);
    expect(await put(2)).toBe(deleted);
    one.tier.clear('search', one.stamps.next());
    const cleared = await put(2);
    expect(await put(2)).toBe(cleared);
    expect(await one.get('search', 1)).toBeUndefined();
    await one.tier.close();
  });

  it('is written where only a given file has it', async () => {
    const { clock, files } = makeSlowDisk();
    const other = makeDiskTier({ persistDir: '/data/other', files, clock });
    other.tier.write(record('value', 1));
    await other.tier.close();
    const one = makeDiskTier({ persistDir, files, clock, loadCache: ['/data/other'] });
    await one.tier.open();
    one.tier.write(record('value', 1));
    await one.tier.close();
    const two = makeDiskTier({ persistDir, files, clock });
    expect(await two.get('search', 1)).toBe('value');
    await two.tier.close();
  });

  it('is written where its place is lost to damage', async () => {
    const { clock, disk, files } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock });
    one.tier.write(record('value', 1));
    await one.tier.flush();
    const [path] = disk.paths();
    const bytes = disk.peek(path!);
    bytes[bytes.length - 12]! ^= 0xff;
    disk.plant(path!, bytes);
    const two = makeDiskTier({ persistDir, files, clock });
    await expect(one.get('search', 1)).rejects.toMatchObject({ code: 'ERR_PARTITION_DAMAGED' });
    one.tier.write(record('value', 1));
    expect(await one.get('search', 1)).toBe('value');
    await one.tier.close();
    expect(await two.get('search', 1)).toBe('value');
    await two.tier.close();
  });

  it('is taken in once there is room, after it was dropped for want of room', async () => {
    const { clock, disk, files } = makeSlowDisk();
    const one = makeDiskTier({ persistDir, files, clock, maxPendingBytes: 1_000 });
    one.tier.write(record('older', 1));
    await one.tier.flush();
    disk.failAt(disk.calls.length, 'ENOSPC', true);
    one.set('fetch', 1, 'x'.repeat(600));
    await expect(one.tier.flush()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    expect(one.tier.write(record(large('newer'), 9))).toBe(false);
    expect(await one.get('search', 1)).toBeUndefined();
    disk.heal();
    await one.tier.flush();
    expect(await one.get('search', 1)).toBeUndefined();
    expect(one.tier.write(record(large('newer'), 9))).toBe(true);
    await one.tier.close();
    const two = makeDiskTier({ persistDir, files, clock });
    expect(await two.get('search', 1)).toBe(large('newer'));
    await two.tier.close();
  });
});

it('counts what is still unwritten when a cache is closed on a broken disk as dropped', async () => {
  const { clock, disk, files } = makeSlowDisk();
  const one = makeDiskTier({ persistDir, files, clock });
  await one.tier.open();
  disk.failAt(disk.calls.length, 'ENOSPC', true);
  one.set('search', 1, 'one');
  one.set('search', 2, 'two');
  one.delete('search', 3);
  await expect(one.tier.close()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
  expect(one.tier.counters.droppedEntries).toBe(2);
});
