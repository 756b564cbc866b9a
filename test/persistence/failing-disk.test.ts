/** A disk that fails for a while: tool calls go on, failures are counted, and writing resumes by itself. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../src/persistence/file-system.js';
import { hashMethod } from '../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';
import { FaultyFileSystem } from '../helper/faulty-file-system.js';

/** Lets time pass, and the flush that comes due in it end. */
async function settle({ tier, clock }: TestTier, ms: number): Promise<void> {
  const before = tier.counters;
  clock.advance(ms);
  if (tier.counters.flushes === before.flushes) return;
  const hasEnded = () => tier.counters.failedFlushes > before.failedFlushes || tier.bufferedBytes === 0;
  while (!hasEnded()) await nextTurn();
  await nextTurn();
}

describe('a failing disk', () => {
  for (const fault of ['ENOSPC', 'EIO', 'EMFILE', 'short'] as const) {
    it(`with ${fault} keeps what waits, answers from it, and writes it once it heals`, async () => {
      const files = new FaultyFileSystem();
      const clock = new FakeClock(testStart);
      const one = makeDiskTier({ persistDir: '/data/cache', files, clock });
      one.set('search', 1, 'before');
      await one.tier.flush();
      files.failAt(files.calls.length, fault, true);
      one.set('search', 2, 'during');
      one.delete('search', 1);
      await settle(one, 1_000);
      const { failedFlushes } = one.tier.counters;
      expect(failedFlushes).toBe(1);
      expect(one.errors.at(-1)).toMatchObject({ code: 'ERR_STORAGE' });
      expect(await one.get('search', 2)).toBe('during');
      expect(await one.get('search', 1)).toBeUndefined();
      // Backing off: two more attempts in the next 3 s, not one a second for ever.
      for (let second = 0; second < 3; second += 1) await settle(one, 1_000);
      expect(one.tier.counters.failedFlushes).toBe(3);
      files.heal();
      await settle(one, 30_000);
      expect(one.tier.counters.writtenEntries).toBe(3);
      one.set('search', 3, 'after');
      await settle(one, 1_000);
      expect(one.tier.counters.writtenEntries).toBe(4);
      await one.tier.close();
      const two = makeDiskTier({ persistDir: '/data/cache', files, clock });
      expect(await two.get('search', 1)).toBeUndefined();
      expect(await two.get('search', 2)).toBe('during');
      expect(await two.get('search', 3)).toBe('after');
      await two.tier.close();
    });
  }

  it('while it writes many tags that were invalidated at once keeps those that are in no file yet', async () => {
    const tags = Array.from({ length: 4_000 }, (_, number) => `tag ${number}`);
    let failedFlushes = 0;
    for (let at = 0; at < 8; at += 1) {
      const files = new FaultyFileSystem();
      const clock = new FakeClock(testStart);
      const options = { persistDir: '/data/cache', files, clock };
      const one = makeDiskTier(options);
      one.set('search', 'first', 'old', { tags: ['tag 0'] });
      one.set('search', 'last', 'old', { tags: ['tag 3999'] });
      await one.tier.flush();
      const stamp = one.stamps.next();
      for (const tag of tags) one.tier.invalidateTag(tag, stamp);
      files.failAt(files.calls.length + at, 'EIO');
      await one.tier.flush().catch(() => failedFlushes++);
      files.heal();
      await one.tier.flush();
      await one.tier.close();
      const two = makeDiskTier(options);
      expect(await two.get('search', 'first'), `call ${at} has failed`).toBeUndefined();
      expect(await two.get('search', 'last'), `call ${at} has failed`).toBeUndefined();
      await two.tier.close();
    }
    expect(failedFlushes).toBeGreaterThan(2);
  });

  it('that is broken from the start rejects `open`, answers what waits, and opens once it heals', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    const one = makeDiskTier({ persistDir: '/data/cache', files, clock });
    files.failAt(0, 'EIO', true);
    await expect(one.tier.open()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    one.set('search', 1, 'waiting');
    expect(await one.get('search', 1)).toBe('waiting');
    await expect(one.get('search', 2)).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    const calls = files.calls.length;
    await expect(one.get('search', 2)).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    expect(files.calls.length).toBe(calls);
    files.heal();
    await settle(one, 1_000);
    expect(await one.get('search', 2)).toBeUndefined();
    await one.tier.close();
  });

  it('bounds what waits, counts what it drops, and never answers what that would have replaced', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    const options = { persistDir: '/data/cache', files, clock, maxPendingBytes: 20_000 };
    const one = makeDiskTier(options);
    for (let at = 0; at < 40; at += 1) one.set('search', at, 'old');
    await one.tier.flush();
    files.failAt(files.calls.length, 'ENOSPC', true);
    one.set('search', 0, 'new');
    await expect(one.tier.flush()).rejects.toThrow();
    for (let at = 0; at < 40; at += 1) one.set('search', at, `new ${'x'.repeat(1_000)}`);
    const { droppedEntries } = one.tier.counters;
    expect(droppedEntries).toBeGreaterThan(10);
    files.heal();
    await one.tier.close();
    const two = makeDiskTier(options);
    let stored = 0;
    for (let at = 0; at < 40; at += 1) {
      const value = await two.get('search', at);
      expect(value === undefined || String(value).startsWith('new')).toBe(true);
      if (value !== undefined) stored += 1;
    }
    expect(stored).toBe(40 - droppedEntries);
    await two.tier.close();
  });

  it('tells of every method that could not be written, and writes the others', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    const broken = new Set([hashMethod('search'), hashMethod('browse')]);
    const view = files.beside();
    const create: FileSystem['create'] = (path, mode) => {
      const isBroken = [...broken].some((hash) => path.includes(hash));
      return isBroken ? Promise.reject(new Error(`no ${path}`)) : files.create(path, mode);
    };
    Object.assign(view, { create });
    const one = makeDiskTier({ persistDir: '/data/cache', files: view, clock });
    for (const method of ['search', 'fetch', 'browse']) one.set(method, 1, method);
    const failure = await one.tier.flush().catch((error: Error) => error);
    const { errors } = (failure as Error).cause as AggregateError;
    expect(errors.map(({ message }) => broken.has(/\w{32}/.exec(message)![0]!))).toEqual([true, true]);
    expect(one.tier.counters).toMatchObject({ writtenEntries: 1, failedFlushes: 1, errors: 1 });
    broken.clear();
    await one.tier.close();
    expect(one.tier.counters).toMatchObject({ writtenEntries: 3, droppedEntries: 0 });
  });

  it('refuses an entry that no reader would accept, and deletes the one it replaces', async () => {
    const files = new FaultyFileSystem();
    const one = makeDiskTier({ persistDir: '/data/cache', files, maxMemberBytes: 10_000 });
    one.set('search', 1, 'small');
    await one.tier.flush();
    one.set('search', 1, 'x'.repeat(10_000));
    expect(await one.get('search', 1)).toBeUndefined();
    expect(one.tier.counters.droppedEntries).toBe(1);
    await one.tier.close();
  });

  it('that is a full tmpfs loses nothing that was acknowledged, and takes everything once there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'toolstash-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'pipe' });
    } catch (error) {
      console.log(
        `No full disk tried: mounting a tmpfs is not allowed here (${(error as Error).message.trim()})`,
      );
      rmSync(folder, { recursive: true });
      return;
    }
    try {
      const ballast = join(folder, 'ballast');
      writeFileSync(ballast, Buffer.alloc(200 * 1024));
      const one = makeDiskTier({ persistDir: join(folder, 'cache'), durability: 'disk' });
      const acknowledged: number[] = [];
      const noise = (at: number) =>
        Buffer.from(Float64Array.from({ length: 800 }, (_, i) => Math.sin(at * 811 + i)).buffer).toString(
          'hex',
        );
      let failures = 0;
      for (let at = 0; at < 30; at += 1) {
        one.set('search', at, noise(at));
        const isWritten = await one.tier.flush().then(
          () => true,
          () => false,
        );
        if (isWritten) acknowledged.push(at);
        else failures += 1;
      }
      expect(failures).toBeGreaterThan(0);
      expect(one.errors[0]?.message).toMatch(/ENOSPC|Only/);
      const two = makeDiskTier({ persistDir: join(folder, 'cache') });
      for (const at of acknowledged) expect(await two.get('search', at)).toBe(noise(at));
      await two.tier.close();
      execFileSync('mount', ['-o', 'remount,size=4m', folder]);
      await one.tier.close();
      const three = makeDiskTier({ persistDir: join(folder, 'cache') });
      for (let at = 0; at < 30; at += 1) expect(await three.get('search', at)).toBe(noise(at));
      await three.tier.close();
      execFileSync('mount', ['-o', 'remount,ro', folder]);
      const four = makeDiskTier({ persistDir: join(folder, 'cache') });
      expect(await four.get('search', 29)).toBe(noise(29));
      four.set('search', 30, 'never written');
      await expect(four.tier.flush()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
      expect(await four.get('search', 30)).toBe('never written');
      await expect(four.tier.close()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    } finally {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    }
  });
});
