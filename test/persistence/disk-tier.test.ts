/** The disk tier on a real folder: what is written is there, after a restart too, and nothing else is. */

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../helper/disk-tier.js';

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'toolstash-')), 'cache');
});

afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('the disk tier', () => {
  it('answers what was set, before and after it is written, and after a restart', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', { q: 'a' }, { hits: [1, 2, 3] });
    expect(await one.get('search', { q: 'a' })).toEqual({ hits: [1, 2, 3] });
    expect(one.tier.size).toBe(1);
    await one.tier.flush();
    expect(await one.get('search', { q: 'a' })).toEqual({ hits: [1, 2, 3] });
    expect(await one.get('search', { q: 'b' })).toBeUndefined();
    await one.tier.close();
    const two = makeDiskTier({ persistDir: folder });
    await two.tier.open();
    expect(two.tier.size).toBe(1);
    expect(await two.get('search', { q: 'a' })).toEqual({ hits: [1, 2, 3] });
    await two.tier.close();
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('writes one file per method and day, for its owner alone', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'a');
    one.set('../../etc/passwd', 1, 'b');
    await one.tier.flush();
    one.clock.advance(86_400_000);
    one.set('search', 2, 'c');
    await one.tier.close();
    const files = filesIn(folder);
    expect(files.map((file) => file.slice(folder.length + 1)).sort()).toEqual(
      [
        '2026-11/06a943c59f33a34bb5924aaf72cd2995_20261121_0.cache',
        '2026-11/06a943c59f33a34bb5924aaf72cd2995_20261122_0.cache',
        '2026-11/35d0b0ac4f2d70b58d0a3a9e3e8d1c0d_20261121_0.cache',
      ].map((path) =>
        path.startsWith('2026-11/35') ? expect.stringMatching(/^2026-11\/[0-9a-f]{32}_20261121_0/) : path,
      ),
    );
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('writes by itself after `flushInterval`, and at once at `flushBytes`', async () => {
    const one = makeDiskTier({ persistDir: folder, flushInterval: '2s', flushBytes: 10_000 });
    await one.tier.open();
    one.set('search', 1, 'a');
    await one.clock.advanceAsync(1_999);
    expect(one.tier.counters.flushes).toBe(0);
    await one.clock.advanceAsync(1);
    expect(one.tier.counters.flushes).toBe(1);
    await one.tier.flush();
    for (let at = 0; at < 5; at += 1) one.set('search', at, 'x'.repeat(3_000));
    expect(one.tier.counters.flushes).toBe(2);
    await one.tier.close();
    expect(one.errors).toEqual([]);
  });

  it('keeps the newest of a key, through overwrites, deletions and restarts', async () => {
    const one = makeDiskTier({ persistDir: folder });
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 10; at += 1) one.set('search', at, { at, round });
      await one.tier.flush();
    }
    one.delete('search', 3);
    await one.tier.flush();
    one.delete('search', 4);
    expect(await one.get('search', 3)).toBeUndefined();
    expect(await one.get('search', 4)).toBeUndefined();
    one.set('search', 4, 'again');
    await one.tier.close();
    const two = makeDiskTier({ persistDir: folder });
    expect(await two.get('search', 3)).toBeUndefined();
    expect(await two.get('search', 4)).toBe('again');
    expect(await two.get('search', 5)).toEqual({ at: 5, round: 2 });
    expect(two.tier.size).toBe(9);
    await two.tier.close();
  });

  it('clears a method, and all, as of a stamp', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'old');
    one.set('fetch', 1, 'other');
    await one.tier.flush();
    one.set('search', 2, 'waiting');
    one.tier.clear('search', one.stamps.next());
    expect(await one.get('search', 1)).toBeUndefined();
    expect(await one.get('search', 2)).toBeUndefined();
    expect(one.tier.size).toBe(1);
    one.set('search', 3, 'new');
    await one.tier.close();

    const two = makeDiskTier({ persistDir: folder, clock: one.clock });
    await two.tier.open();
    expect(two.tier.size).toBe(2);
    expect(await two.get('search', 1)).toBeUndefined();
    expect(await two.get('search', 2)).toBeUndefined();
    expect(await two.get('search', 3)).toBe('new');
    expect(await two.get('fetch', 1)).toBe('other');
    two.tier.clear(undefined, two.stamps.next());
    two.set('fetch', 2, 'later');
    await two.tier.close();

    const three = makeDiskTier({ persistDir: folder, clock: one.clock });
    await three.tier.open();
    expect(three.tier.size).toBe(1);
    expect(await three.get('fetch', 1)).toBeUndefined();
    expect(await three.get('fetch', 2)).toBe('later');
    await three.tier.close();
  });

  it('invalidates what carries a tag, across methods and restarts', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'tagged', { tags: ['user:1', 'x'] });
    one.set('fetch', 1, 'other', { tags: ['user:2'] });
    await one.tier.flush();
    one.tier.invalidateTag('user:1', one.stamps.next());
    expect(await one.get('search', 1)).toBeUndefined();
    await one.tier.close();
    const two = makeDiskTier({ persistDir: folder });
    expect(await two.get('search', 1)).toBeUndefined();
    expect(await two.get('fetch', 1)).toBe('other');
    await two.tier.close();
  });

  it('keeps metadata, and answers nothing that has expired', async () => {
    const one = makeDiskTier({ persistDir: folder });
    const expiresAt = testStart + 5_000;
    one.set('search', 1, 'old', {});
    await one.tier.flush();
    one.set('search', 1, 'short', { expiresAt, staleAt: testStart + 3_000.7, accessCount: 4 });
    one.set('search', 2, 'long', { expiresAt: testStart + 60_000 });
    await one.tier.close();
    const two = makeDiskTier({ persistDir: folder, clock: new FakeClock(testStart + 4_999) });
    const { key } = { key: (await import('../../src/key/key-hasher.js')).hashKey('search', 1) };
    expect((await two.tier.lookup(key, 'search'))?.metadata).toEqual({
      createdAt: testStart,
      staleAt: testStart + 3_000,
      expiresAt,
      accessCount: 4,
      lastAccess: testStart,
      loadMs: 12.5,
    });
    two.clock.advance(1);
    expect(await two.get('search', 1)).toBeUndefined();
    await two.tier.close();
    const three = makeDiskTier({ persistDir: folder, clock: new FakeClock(testStart + 5_000) });
    await three.tier.open();
    expect(three.tier.size).toBe(1);
    expect(await three.get('search', 1)).toBeUndefined();
    expect(await three.get('search', 2)).toBe('long');
    await three.tier.close();
  });

  it('rolls over at `partitionBytes` and reads from all partitions', async () => {
    const one = makeDiskTier({ persistDir: folder, partitionBytes: 20_000 });
    for (let at = 0; at < 40; at += 1) {
      one.set(
        'search',
        at,
        `${at} ${Array.from({ length: 400 }, (_, i) => (i * at * 7919) % 9973).join(' ')}`,
      );
      await one.tier.flush();
    }
    await one.tier.close();
    const files = filesIn(folder);
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) expect(statSync(file).size).toBeLessThanOrEqual(20_000);
    const two = makeDiskTier({ persistDir: folder });
    for (let at = 0; at < 40; at += 1) expect(await two.get('search', at)).toMatch(new RegExp(`^${at} `));
    await two.tier.close();
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('iterates over all entries, each once, the waiting ones too', async () => {
    const one = makeDiskTier({ persistDir: folder });
    for (let at = 0; at < 3_000; at += 1) one.set(at % 2 ? 'search' : 'fetch', at, at);
    await one.tier.flush();
    one.set('search', 1, 'changed');
    one.delete('search', 3);
    one.set('third', 1, 'waiting');
    const seen = new Map<string, string>();
    for await (const { key, method } of one.tier.entries()) {
      expect(seen.has(key)).toBe(false);
      seen.set(key, method);
    }
    expect(seen.size).toBe(3_000);
    expect([...seen.values()].filter((method) => method === 'third')).toHaveLength(1);
    await one.tier.close();
  });

  it('loads what another process has written since, and takes deletions over', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'one');
    await one.tier.flush();
    const two = makeDiskTier({ persistDir: folder });
    await two.tier.open();
    one.clock.advance(10);
    one.set('search', 2, 'two');
    one.delete('search', 1);
    await one.tier.flush();
    expect(await two.get('search', 2)).toBeUndefined();
    expect(await two.get('search', 1)).toBe('one');
    await two.tier.load({ mode: 'incremental' });
    expect(await two.get('search', 2)).toBe('two');
    expect(await two.get('search', 1)).toBeUndefined();
    two.clock.advance(20);
    two.set('search', 2, 'by two');
    await two.tier.flush();
    await two.tier.load({ mode: 'full' });
    expect(await two.get('search', 2)).toBe('by two');
    expect(two.tier.size).toBe(1);
    await one.tier.close();
    await two.tier.close();
  });

  it('reads given files and folders from elsewhere, and changes nothing there', async () => {
    const elsewhere = join(folder, '..', 'elsewhere');
    const one = makeDiskTier({ persistDir: elsewhere });
    for (let at = 0; at < 5; at += 1) one.set('search', at, `given ${at}`);
    await one.tier.close();
    const before = filesIn(elsewhere).map((file) => [file, statSync(file).mtimeMs]);
    const two = makeDiskTier({ persistDir: folder, loadCache: elsewhere });
    expect(await two.get('search', 2)).toBe('given 2');
    two.clock.advance(5);
    two.set('search', 2, 'own');
    two.delete('search', 3);
    await two.tier.close();
    const three = makeDiskTier({ persistDir: folder });
    await three.tier.load({ files: filesIn(elsewhere) });
    expect(await three.get('search', 1)).toBe('given 1');
    expect(await three.get('search', 2)).toBe('own');
    expect(await three.get('search', 3)).toBeUndefined();
    await three.tier.load({ mode: 'full' });
    expect(await three.get('search', 1)).toBe('given 1');
    await three.tier.close();
    expect(filesIn(elsewhere).map((file) => [file, statSync(file).mtimeMs])).toEqual(before);
  });
});
