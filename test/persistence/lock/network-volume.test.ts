/** On network file systems an owner may see late that its file was taken away, so consolidation waits longer. */

import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { type DiskOptions, resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { type FileSystem, nodeFileSystem } from '../../../src/persistence/file-system.js';
import { isOnNetwork, networkVolumes } from '../../../src/persistence/lock/network-volume.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../../helper/disk-tier.js';

const [minute, hour] = [60_000, 3_600_000];
const nfs = 0x6969;
const ext4 = 0xef53;
let folder: string;
let clock: FakeClock;
const open: TestTier[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-network-'));
  clock = new FakeClock(testStart);
});

afterEach(async () => {
  for (const { tier } of open.splice(0)) await tier.close();
  rmSync(folder, { recursive: true, force: true });
});

/** This machine's files, on a file system that says it is of this type. */
function filesOn(volumeType: FileSystem['volumeType']): FileSystem {
  return { ...nodeFileSystem, ...(volumeType === undefined ? {} : { volumeType }) };
}

function make(files: FileSystem, options: DiskOptions = {}): TestTier {
  const made = makeDiskTier({ persistDir: folder, clock, files, ...options });
  open.push(made);
  return made;
}

/** Two processes that each wrote a file and are gone. */
async function leaveTwo(files: FileSystem): Promise<void> {
  for (const key of [1, 2]) {
    const one = makeDiskTier({ persistDir: folder, clock, files, mode: 'multi' });
    one.set('search', key, `value ${key}`);
    await one.tier.close();
  }
}

/** Dates all partitions as if they had been appended to `age` ms ago for the last time. */
function date(age: number): void {
  const time = new Date(clock.now() - age);
  for (const name of partitions()) utimesSync(join(folder, name), time, time);
}

function partitions(): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.cache')).sort();
}

describe('a file system', () => {
  it('that is reached over a network is known by its type', async () => {
    expect(networkVolumes.get(nfs)).toBe('NFS');
    for (const [type, name] of networkVolumes) {
      expect([
        name,
        await isOnNetwork(
          filesOn(() => Promise.resolve(type)),
          folder,
        ),
      ]).toEqual([name, true]);
    }
  });

  for (const [name, type] of [
    ['ext4', ext4],
    ['XFS', 0x58465342],
    ['Btrfs', 0x9123683e],
    ['tmpfs', 0x01021994],
    ['OverlayFS', 0x794c7630],
    ['ZFS', 0x2fc12fc1],
  ] as const) {
    it(`of type ${name} is local`, async () => {
      expect(
        await isOnNetwork(
          filesOn(() => Promise.resolve(type)),
          folder,
        ),
      ).toBe(false);
    });
  }

  it('that does not tell is local', async () => {
    expect(
      await isOnNetwork(
        filesOn(() => Promise.resolve(undefined)),
        folder,
      ),
    ).toBe(false);
    const { volumeType: _, ...silent } = nodeFileSystem;
    expect(await isOnNetwork(silent, folder)).toBe(false);
  });

  it('of this machine tells a number that means something, or nothing', async () => {
    const type = await nodeFileSystem.volumeType!(folder);
    if (process.platform === 'linux') expect(type).toBeGreaterThan(0);
    else expect(type).toBeUndefined();
  });
});

for (const mode of ['single', 'multi'] as const) {
  describe(`a consolidation on a network file system, with mode: ${mode}`, () => {
    it('merges partitions only once they were not appended to for an hour', async () => {
      const files = filesOn(() => Promise.resolve(nfs));
      await leaveTwo(files);
      const one = make(files, { mode });
      date(59 * minute);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 0, failures: 0 });
      expect(partitions()).toHaveLength(2);
      date(61 * minute);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
      expect([await one.get('search', 1), await one.get('search', 2)]).toEqual(['value 1', 'value 2']);
      expect(one.errors).toEqual([]);
    });

    it('waits for `networkCloseAfter` where that is set', async () => {
      const files = filesOn(() => Promise.resolve(nfs));
      await leaveTwo(files);
      const one = make(files, { mode, networkCloseAfter: '1d' });
      date(23 * hour);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 0 });
      date(25 * hour);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 1 });
    });

    it('merges what this process has written itself at once', async () => {
      const files = filesOn(() => Promise.resolve(nfs));
      const one = make(files, { mode, partitionBytes: 1 });
      for (const key of [1, 2]) {
        one.set('search', key, 'own');
        await one.tier.flush();
      }
      date(0);
      expect(partitions()).toHaveLength(2);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
      expect([await one.get('search', 1), await one.get('search', 2)]).toEqual(['own', 'own']);
    });

    it('is as careful where the type can not be told, and says why', async () => {
      const files = filesOn(() => Promise.reject(Object.assign(new Error('EIO: statfs'), { code: 'EIO' })));
      await leaveTwo(files);
      const one = make(files, { mode });
      date(59 * minute);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 0 });
      expect(one.errors).toMatchObject([{ code: 'ERR_STORAGE', cause: { code: 'EIO' } }]);
      date(61 * minute);
      expect(await one.tier.consolidate()).toMatchObject({ merged: 1 });
    });
  });

  it(`a consolidation on a local file system waits no longer than ever, with mode: ${mode}`, async () => {
    const files = filesOn(() => Promise.resolve(ext4));
    await leaveTwo(files);
    const one = make(files, { mode });
    date(11 * minute);
    expect(await one.tier.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
    expect(one.errors).toEqual([]);
  });
}

describe('networkCloseAfter', () => {
  it('is an hour by default, a duration, and nothing else', () => {
    expect(resolveDiskOptions({}).networkCloseAfter).toBe(hour);
    expect(resolveDiskOptions({ networkCloseAfter: '90m' }).networkCloseAfter).toBe(90 * minute);
    for (const [wrong, shown] of [
      [0, '0'],
      [-1, '-1'],
      ['soon', "'soon'"],
    ] as const) {
      expect(() => new CacheManager({ persist: true, networkCloseAfter: wrong as number })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringMatching(new RegExp(`networkCloseAfter.*${shown}`)) as string,
        }),
      );
    }
  });
});
