/** Small members are read at once, blocking: only from files that are near, never for long, and never without checks. */

import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FileSystem, OpenFile } from '../../../src/persistence/file-system.js';
import { deflateMember, encodeValue } from '../../../src/persistence/format/member-body.js';
import { frameMember } from '../../../src/persistence/format/member-frame.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, makeRecord, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

const persistDir = '/data/cache';
const count = 200;
const clock = new FakeClock(testStart);

afterEach(() => {
  vi.restoreAllMocks();
});

/** What does not compress. */
function noise(seed: unknown, bytes: number): string {
  let text = '';
  for (let at = 0; text.length < bytes; at += 1)
    text += createHash('sha512').update(`${seed} ${at}`).digest('base64');
  return text.slice(0, bytes);
}

const textFor = (key: number) => `${key}:${noise(key, 1_000)}`;

/** A folder with entries of a kilobyte, and one of 40 under the key `large`. */
async function makeFolder(): Promise<FaultyFileSystem> {
  const files = new FaultyFileSystem();
  files.now = () => clock.now();
  const { tier, set } = makeDiskTier({ persistDir, files, clock });
  for (let key = 0; key < count; key += 1) set('search', key, textFor(key));
  set('search', 'large', noise('large', 40_000));
  await tier.close();
  return files;
}

/** A reader that has opened the folder's file, and how often it has read since: at once, or waiting. */
async function openReader(files: FaultyFileSystem, more: Partial<FileSystem> = {}) {
  const methods = ['openToRead', 'openToAppend', 'create', 'list', 'status', 'makeFolder'] as const;
  const others = ['link', 'rename', 'unlink', 'syncFolder'] as const;
  const bound = [...methods, ...others].map((name) => [name, (files[name] as () => unknown).bind(files)]);
  const reader = makeDiskTier({ persistDir, files: { ...Object.fromEntries(bound), ...more }, clock });
  expect(await reader.get('search', 0)).toBe(textFor(0));
  const start = files.calls.length;
  const reads = () => {
    const calls = files.calls.slice(start).map((call) => call.split(' ')[0]);
    const of = (operation: string) => calls.filter((call) => call === operation).length;
    return { atOnce: of('readSync'), waiting: of('read') };
  };
  return { ...reader, reads };
}

/** The files, with something done around each reading at once. */
function around(files: FaultyFileSystem, read: (file: OpenFile, run: () => Buffer) => Buffer) {
  return {
    async openToRead(path: string): Promise<OpenFile> {
      const file = await files.openToRead(path);
      return { ...file, readSync: (...place) => read(file, () => file.readSync!(...place)) };
    },
  };
}

describe('a small member', () => {
  it('is read at once, a larger one is waited for', async () => {
    const files = await makeFolder();
    const { tier, get, reads } = await openReader(files);
    expect(await get('search', 100)).toBe(textFor(100));
    expect(reads()).toEqual({ atOnce: 1, waiting: 0 });
    expect(await get('search', 'large')).toBe(noise('large', 40_000));
    expect(reads()).toEqual({ atOnce: 1, waiting: 1 });
    await tier.close();
  });

  it('on a network file system is waited for', async () => {
    const files = await makeFolder();
    const { tier, get, reads } = await openReader(files, { volumeType: async () => 0x6969 });
    expect(await get('search', 100)).toBe(textFor(100));
    expect(reads()).toEqual({ atOnce: 0, waiting: 1 });
    await tier.close();
  });

  it('on a file system that can not be asked for its type is waited for', async () => {
    const files = await makeFolder();
    const { tier, get, reads } = await openReader(files, {
      volumeType: () => Promise.reject(new Error('EIO')),
    });
    expect(await get('search', 100)).toBe(textFor(100));
    expect(reads()).toEqual({ atOnce: 0, waiting: 1 });
    await tier.close();
  });

  it('is waited for once others have waited long enough in this turn, and read at once in the next', async () => {
    const files = await makeFolder();
    const { tier, get, reads } = await openReader(files);
    // Every look at the time takes a millisecond: four for a member.
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 1;
      return now;
    });
    await Promise.all(
      [50, 100, 150, 190].map(async (key) => expect(await get('search', key)).toBe(textFor(key))),
    );
    const { atOnce, waiting } = reads();
    expect(atOnce).toBeGreaterThanOrEqual(1);
    expect(waiting).toBeGreaterThanOrEqual(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await get('search', 20)).toBe(textFor(20));
    expect(reads()).toEqual({ atOnce: atOnce + 1, waiting });
    await tier.close();
  });

  it('is waited for while the disk is slow, for a second', async () => {
    const files = await makeFolder();
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    let readingMs = 0;
    const slow = around(files, (_, run) => {
      now += readingMs;
      return run();
    });
    const { tier, get, reads } = await openReader(files, slow);
    const lookUp = async (key: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      expect(await get('search', key)).toBe(textFor(key));
    };
    readingMs = 10;
    await lookUp(20);
    // A process may be interrupted once.
    readingMs = 0;
    await lookUp(40);
    expect(reads()).toEqual({ atOnce: 2, waiting: 0 });
    readingMs = 10;
    await lookUp(60);
    await lookUp(80);
    await lookUp(100);
    expect(reads()).toEqual({ atOnce: 4, waiting: 1 });
    now += 1_000;
    await lookUp(120);
    expect(reads()).toEqual({ atOnce: 5, waiting: 1 });
    await tier.close();
  });

  it('whose bytes are not those that were written is looked at again and told as damage', async () => {
    const files = await makeFolder();
    let at = -1;
    // A bit changes wherever it is read.
    const flipped = (bytes: Buffer) => {
      const copy = Buffer.from(bytes);
      if (at >= 0) copy[Math.min(at, copy.length - 1)]! ^= 4;
      return copy;
    };
    const damaging: Partial<FileSystem> = {
      async openToRead(path) {
        const file = await files.openToRead(path);
        return {
          ...file,
          read: async (...place) => flipped(await file.read(...place)),
          readSync: (...place) => flipped(file.readSync!(...place)),
        };
      },
    };
    for (const place of [2, 20, 60, 200, 3_000, Number.MAX_SAFE_INTEGER]) {
      at = -1;
      const { tier, get, reads } = await openReader(files, damaging);
      at = place;
      await expect(get('search', 100)).rejects.toMatchObject({ code: expect.stringMatching('ERR_') });
      expect(reads().atOnce).toBe(1);
      expect(reads().waiting).toBeGreaterThan(0);
      await tier.close();
    }
  });

  it('that can only be read by waiting is answered all the same', async () => {
    const files = await makeFolder();
    const failing = around(files, () => {
      throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    });
    const { tier, get, errors } = await openReader(files, failing);
    expect(await get('search', 100)).toBe(textFor(100));
    expect(errors).toEqual([]);
    await tier.close();
  });
});

it('answers from members of 64 KB, which were written once', async () => {
  const files = await makeFolder();
  const [path] = files.paths();
  const value = (key: number) => `${key} ${'once '.repeat(200)}`;
  const now = clock.now();
  const encoded = Array.from({ length: 55 }, (_, key) => {
    const stamp = { time: now * 1_000 + key, writer: 'a'.repeat(16) };
    return encodeValue(makeRecord({ method: 'search', params: key, value: value(key), stamp, now }));
  });
  const content = await deflateMember(hashMethod('search'), encoded, 3);
  expect(content.bodyLength).toBeGreaterThan(60_000);
  const identity = { fileId: 'f'.repeat(32), writer: 'a'.repeat(16), memberNumber: 0, batchIndex: 0 };
  files.plant(path!, frameMember(content, { ...identity, method: 'search', writtenAt: now }));
  const { tier, get, errors } = makeDiskTier({ persistDir, files, clock, maxMemberBytes: 10_000 });
  for (const key of [0, 30, 54, 1]) expect(await get('search', key)).toBe(value(key));
  expect(errors).toEqual([]);
  await tier.close();
});
