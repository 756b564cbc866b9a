/** What is too large for one process is no damage: it stays where it is, for those who have a larger limit. */

import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashKey } from '../../src/key/key-hasher.js';
import { verifyFiles } from '../../src/persistence/offline/inspection.js';
import { mergeDirectories } from '../../src/persistence/offline/merge-directories.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { encode, makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';
import { FaultyFileSystem } from '../helper/faulty-file-system.js';

const persistDir = '/data/cache';
const limit = 100_000;
const day = 86_400_000;
/** Its member inflates to more than the limit, and is small in the file. */
const loose = 'a'.repeat(300_000);
/** Its member is larger than any that a reader with the limit would even read. */
const dense = randomBytes(700_000).toString('hex');

let files: FaultyFileSystem;
let clock: FakeClock;
const opened: TestTier[] = [];

function open(maxMemberBytes?: number): TestTier {
  const one = makeDiskTier({ persistDir, files, clock, ...(maxMemberBytes ? { maxMemberBytes } : {}) });
  opened.push(one);
  return one;
}

beforeEach(async () => {
  files = new FaultyFileSystem();
  clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const one = open();
  for (const [key, value] of [loose, dense, 'small'].entries()) {
    one.set('search', key, value);
    await one.tier.flush();
  }
  one.set('fetch', 1, loose);
  await one.tier.close();
});

afterEach(async () => {
  for (const { tier } of opened.splice(0)) await tier.close();
});

async function expectWhole(): Promise<void> {
  const last = open();
  expect(await last.get('search', 0)).toBe(loose);
  expect((await last.get('search', 1)) === dense).toBe(true);
  expect(await last.get('search', 2)).toBe('small');
  expect(await last.get('fetch', 1)).toBe(loose);
  expect(last.tier.counters).toMatchObject({ errors: 0, quarantinedFiles: 0, salvagedMembers: 0 });
}

describe('what is larger than `maxMemberBytes` of this process', () => {
  it('is an error of the lookup, at each of them, and no damage', async () => {
    const small = open(limit);
    for (let round = 0; round < 2; round += 1) {
      for (const key of [0, 1]) {
        await expect(small.get('search', key)).rejects.toMatchObject({
          code: 'ERR_STORAGE',
          message: expect.stringContaining('`maxMemberBytes`'),
        });
      }
      expect(await small.get('search', 2)).toBe('small');
    }
    await small.tier.load();
    await small.tier.load({ mode: 'full' });
    expect(small.tier.counters).toMatchObject({ quarantinedFiles: 0, salvagedMembers: 0 });
    await small.tier.close();
    await expectWhole();
  });

  it('is counted and left out where all entries are listed', async () => {
    const small = open(limit);
    const keys: string[] = [];
    for await (const { key } of small.tier.entries()) keys.push(key);
    expect(keys).toEqual([hashKey('search', 2)]);
    expect(small.errors.map(({ code }) => code)).toEqual(['ERR_STORAGE', 'ERR_STORAGE', 'ERR_STORAGE']);
    await small.tier.close();
    await expectWhole();
  });

  it('is passed over by a consolidation, which merges the rest', async () => {
    for (let number = 10; number < 13; number += 1) {
      const one = open();
      one.set('search', number, `${number}`);
      await one.tier.close();
    }
    const small = open(limit);
    const report = await small.tier.consolidate();
    expect(report).toMatchObject({ merged: 1, readFiles: 3, writtenFiles: 1 });
    expect(small.errors.length).toBeGreaterThan(0);
    expect(new Set(small.errors.map(({ code }) => code))).toEqual(new Set(['ERR_STORAGE']));
    for (let number = 10; number < 13; number += 1)
      expect(await small.get('search', number)).toBe(`${number}`);
    await small.tier.close();
    await expectWhole();
    expect(await open().tier.consolidate()).toMatchObject({ failures: 0, merged: 1 });
    await expectWhole();
  });

  it('keeps what was deleted from coming back with it', async () => {
    const one = open();
    one.delete('search', 0);
    await one.tier.close();
    clock.advance(60 * day);
    const small = open(limit);
    await small.tier.consolidate();
    await small.tier.close();
    expect(await open().get('search', 0)).toBeUndefined();
  });

  it('goes with its day when the folder is to keep less', async () => {
    clock.advance(60 * day);
    const small = makeDiskTier({ persistDir, files, clock, maxMemberBytes: limit, maxDiskAge: 30 * day });
    await small.tier.consolidate();
    await small.tier.consolidate();
    await small.tier.close();
    expect(files.paths()).toEqual([]);
  });

  it('stays in a file that is damaged elsewhere, which waits for somebody else to salvage it', async () => {
    const path = files.paths().find((each) => files.peek(each).length > 500_000)!;
    const bytes = files.peek(path);
    // In the last member, behind its header.
    bytes[bytes.length - 12]! ^= 0xff;
    files.plant(path, bytes);
    const small = open(limit);
    await small.tier.load();
    await small.tier.load();
    const paths = files.paths();
    await small.tier.load();
    expect(files.paths()).toEqual(paths);
    expect(small.tier.counters.quarantinedFiles).toBe(0);
    await small.tier.close();
    const last = open();
    expect(await last.get('search', 0)).toBe(loose);
    expect((await last.get('search', 1)) === dense).toBe(true);
    await last.tier.load();
    expect(last.tier.counters.quarantinedFiles).toBe(1);
    expect((await last.get('search', 1)) === dense).toBe(true);
  });

  it('is left out of a merge of folders, and of nothing else', async () => {
    const report = await mergeDirectories([persistDir], '/data/other', {
      files,
      clock,
      maxMemberBytes: limit,
    });
    expect(report.skipped).toHaveLength(2);
    expect(report.writtenEntries).toBe(0);
    await expectWhole();
  });

  it('is told apart from damage by whoever looks into files', async () => {
    const { files: found } = await verifyFiles([persistDir], { files, clock, maxMemberBytes: limit });
    expect(found.map(({ damage }) => damage)).toEqual([[], []]);
    expect(found.map(({ unread }) => unread.length).sort()).toEqual([1, 2]);
  });

  it('may be a plain file: it stays, and what was deleted of it too', async () => {
    const entries = { [hashKey('read', 1)]: { result: loose, metadata: { created_at: testStart - day } } };
    files.plant(`${persistDir}/2026-11/read.cache`, Buffer.alloc(0));
    const plain = `${persistDir}/2026-11/${'a'.repeat(32)}_20261121_0.cache`;
    await files.unlink(`${persistDir}/2026-11/read.cache`);
    files.plant(plain, gzipSync(encode(entries)));
    const small = open(limit);
    await small.tier.load();
    await small.tier.load();
    expect(small.errors).toMatchObject([{ code: 'ERR_STORAGE' }]);
    expect(files.paths()).toContain(plain);
    await small.tier.close();
    expect(await open().get('read', 1)).toBe(loose);
  });
});

it('members of many small entries are read whatever the limit', async () => {
  const small = open(1_024);
  for (let key = 100; key < 200; key += 1) small.set('search', key, 'x'.repeat(400));
  await small.tier.close();
  const again = open(1_024);
  for (let key = 100; key < 200; key += 1) expect(await again.get('search', key)).toBe('x'.repeat(400));
});
