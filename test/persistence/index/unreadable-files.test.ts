/** Files that are there but can't be read for a while: their methods get an error, never an older value. */

import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../src/persistence/file-system.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

const persistDir = '/data/cache';
const monthFolder = `${persistDir}/2026-11`;

/** A folder in which one process has written `older`, and then another what `write` writes, into files of its own. */
async function makeFolder(
  write: (newer: TestTier) => void,
): Promise<{ files: FaultyFileSystem; clock: FakeClock; newer: string[] }> {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  const one = makeDiskTier({ persistDir, files, clock });
  one.set('search', 1, 'older');
  one.set('fetch', 1, 'of another method');
  await one.tier.close();
  const before = files.paths();
  clock.advance(1_000);
  const two = makeDiskTier({ persistDir, files, clock });
  await two.tier.open();
  write(two);
  await two.tier.close();
  return { files, clock, newer: files.paths().filter((path) => !before.includes(path)) };
}

interface Trouble {
  readonly code: string;
  /** The call that fails. */
  readonly operation: 'openToRead' | 'read' | 'status' | 'list';
  /** How many such calls go well before. */
  readonly after?: number;
}

/** The same files, of which some fail while there is trouble. */
function troubled(files: FaultyFileSystem, paths: readonly string[]) {
  const state: { trouble: Trouble | undefined; attempts: number } = { trouble: undefined, attempts: 0 };
  const meet = (operation: string, path: string) => {
    if (state.trouble?.operation !== operation || !paths.includes(path)) return;
    state.attempts += 1;
    const { code, after = 0 } = state.trouble;
    if (state.attempts <= after) return;
    throw Object.assign(new Error(`${code}: ${path}`), { code, path });
  };
  const wrapped: FileSystem = {
    openToRead: async (path) => {
      meet('openToRead', path);
      const file = await files.openToRead(path);
      return {
        ...file,
        read: async (length, position) => {
          meet('read', path);
          return file.read(length, position);
        },
        readSync: (length, position) => {
          meet('read', path);
          return file.readSync!(length, position);
        },
      };
    },
    list: async (path) => {
      meet('list', path);
      return files.list(path);
    },
    status: async (path) => {
      meet('status', path);
      return files.status(path);
    },
    openToAppend: (path) => files.openToAppend(path),
    create: (path, mode) => files.create(path, mode),
    makeFolder: (path, options) => files.makeFolder(path, options),
    link: (path, newPath) => files.link(path, newPath),
    rename: (path, newPath) => files.rename(path, newPath),
    unlink: (path) => files.unlink(path),
    syncFolder: (path) => files.syncFolder(path),
  };
  return { files: wrapped, state };
}

const failed = { code: 'ERR_STORAGE' };

describe('a partition file that is there but can not be read', () => {
  for (const code of ['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EACCES']) {
    for (const operation of ['openToRead', 'read'] as const) {
      it(`with ${code} at ${operation} makes lookups of its method reject, until it gives the newer value`, async () => {
        const { files, clock, newer } = await makeFolder((two) => two.set('search', 1, 'newer'));
        expect(newer).toHaveLength(1);
        const disk = troubled(files, newer);
        disk.state.trouble = { code, operation };
        const three = makeDiskTier({ persistDir, files: disk.files, clock });
        await three.tier.open();
        expect(three.errors).toHaveLength(1);
        expect(three.errors[0]).toMatchObject(failed);
        await expect(three.get('search', 1)).rejects.toMatchObject(failed);
        await expect(three.get('search', 2)).rejects.toMatchObject(failed);
        expect(await three.get('fetch', 1)).toBe('of another method');
        const listed: string[] = [];
        for await (const { method } of three.tier.entries()) listed.push(method);
        expect(listed).toEqual(['fetch']);
        // Not at every lookup.
        expect(disk.state.attempts).toBe(1);
        clock.advance(1_000);
        await expect(three.get('search', 1)).rejects.toMatchObject(failed);
        expect(disk.state.attempts).toBe(2);
        disk.state.trouble = undefined;
        clock.advance(1_000);
        expect(await three.get('search', 1)).toBe('newer');
        expect(await three.get('search', 2)).toBeUndefined();
        await three.tier.close();
      });
    }
  }

  it('does not look damaged after a scan that was cut short', async () => {
    const { files, clock, newer } = await makeFolder((two) => two.set('search', 1, 'newer'));
    const writer = makeDiskTier({ persistDir, files, clock });
    for (const value of ['first', 'second', 'third']) {
      writer.set('search', 1, value);
      await writer.tier.flush();
    }
    await writer.tier.close();
    const written = files.paths().filter((path) => path.includes(hashMethod('search')));
    const last = written.filter((path) => !newer.includes(path)).at(-1)!;
    for (let after = 0; after < 3; after += 1) {
      const disk = troubled(files, [last]);
      disk.state.trouble = { code: 'EIO', operation: 'read', after };
      const three = makeDiskTier({ persistDir, files: disk.files, clock });
      await expect(three.get('search', 1)).rejects.toMatchObject(failed);
      disk.state.trouble = undefined;
      await three.tier.load();
      expect(await three.get('search', 1)).toBe('third');
      expect(three.errors).toHaveLength(1);
      expect(three.tier.counters).toMatchObject({ quarantinedFiles: 0, salvagedMembers: 0 });
      await three.tier.close();
    }
  });

  it('hides no deletion', async () => {
    const { files, clock, newer } = await makeFolder((two) => two.delete('search', 1));
    const disk = troubled(files, newer);
    disk.state.trouble = { code: 'EIO', operation: 'openToRead' };
    const three = makeDiskTier({ persistDir, files: disk.files, clock });
    await expect(three.get('search', 1)).rejects.toMatchObject(failed);
    disk.state.trouble = undefined;
    await three.tier.load();
    expect(await three.get('search', 1)).toBeUndefined();
    await three.tier.close();
  });

  it('hides no clear, be it of the method or of all', async () => {
    for (const method of ['search', undefined]) {
      const { files, clock, newer } = await makeFolder((two) => two.tier.clear(method, two.stamps.next()));
      const disk = troubled(files, newer);
      disk.state.trouble = { code: 'EMFILE', operation: 'openToRead' };
      const three = makeDiskTier({ persistDir, files: disk.files, clock });
      await expect(three.get('search', 1)).rejects.toMatchObject(failed);
      if (method === undefined) await expect(three.get('fetch', 1)).rejects.toMatchObject(failed);
      disk.state.trouble = undefined;
      clock.advance(1_000);
      expect(await three.get('search', 1)).toBeUndefined();
      expect(await three.get('fetch', 1)).toBe(method === undefined ? undefined : 'of another method');
      await three.tier.close();
    }
  });

  it('hides no invalidated tag', async () => {
    const { files, clock, newer } = await makeFolder((two) => {
      two.tier.invalidateTag('news', two.stamps.next());
    });
    const disk = troubled(files, newer);
    disk.state.trouble = { code: 'EIO', operation: 'openToRead' };
    const three = makeDiskTier({ persistDir, files: disk.files, clock });
    await expect(three.get('search', 1)).rejects.toMatchObject(failed);
    await three.tier.close();
  });

  it('stops a running cache that knows an older value, at the load that finds it, for as long', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    files.now = () => clock.now();
    const writer = makeDiskTier({ persistDir, files, clock });
    writer.set('search', 1, 'older');
    await writer.tier.flush();
    const disk = troubled(files, files.paths());
    const reader = makeDiskTier({ persistDir, files: disk.files, clock });
    expect(await reader.get('search', 1)).toBe('older');
    clock.advance(1_000);
    writer.set('search', 1, 'newer');
    await writer.tier.flush();
    for (const operation of ['status', 'openToRead', 'read'] as const) {
      disk.state.trouble = { code: 'EIO', operation };
      await reader.tier.load();
      await expect(reader.get('search', 1)).rejects.toMatchObject(failed);
    }
    await reader.tier.load({ mode: 'full' });
    await expect(reader.get('search', 1)).rejects.toMatchObject(failed);
    disk.state.trouble = undefined;
    await reader.tier.load();
    expect(await reader.get('search', 1)).toBe('newer');
    await reader.tier.close();
    await writer.tier.close();
  });

  it('is passed over when it is not ours to read', async () => {
    const { files, clock, newer } = await makeFolder((two) => two.set('search', 1, 'newer'));
    for (const code of ['ELOOP', 'EINVAL']) {
      const disk = troubled(files, newer);
      disk.state.trouble = { code, operation: 'openToRead' };
      const three = makeDiskTier({ persistDir, files: disk.files, clock });
      expect(await three.get('search', 1)).toBe('older');
      await three.tier.close();
    }
  });

  it('may be any file of a month that can not be listed', async () => {
    const { files, clock } = await makeFolder((two) => two.set('search', 1, 'newer'));
    const disk = troubled(files, [monthFolder]);
    const three = makeDiskTier({ persistDir, files: disk.files, clock });
    expect(await three.get('search', 1)).toBe('newer');
    disk.state.trouble = { code: 'EIO', operation: 'list' };
    await three.tier.load();
    await expect(three.get('search', 1)).rejects.toMatchObject(failed);
    await expect(three.get('unheard of', 1)).rejects.toMatchObject(failed);
    disk.state.trouble = undefined;
    clock.advance(1_000);
    expect(await three.get('search', 1)).toBe('newer');
    expect(await three.get('unheard of', 1)).toBeUndefined();
    await three.tier.close();
  });

  it('concerns nobody any more once it is gone', async () => {
    const { files, clock, newer } = await makeFolder((two) => two.set('search', 1, 'newer'));
    const disk = troubled(files, newer);
    disk.state.trouble = { code: 'EIO', operation: 'openToRead' };
    const three = makeDiskTier({ persistDir, files: disk.files, clock });
    await expect(three.get('search', 1)).rejects.toMatchObject(failed);
    for (const path of newer) await files.unlink(path);
    clock.advance(1_000);
    expect(await three.get('search', 1)).toBe('older');
    await three.tier.close();
  });

  it('is tried again where it was given', async () => {
    const { files, clock, newer } = await makeFolder((two) => two.set('search', 1, 'newer'));
    const given = newer[0]!;
    expect(given).toContain(hashMethod('search'));
    const disk = troubled(files, [given]);
    disk.state.trouble = { code: 'EIO', operation: 'openToRead' };
    const three = makeDiskTier({ persistDir: '/data/own', loadCache: [given], files: disk.files, clock });
    await expect(three.get('search', 1)).rejects.toMatchObject(failed);
    disk.state.trouble = undefined;
    clock.advance(1_000);
    expect(await three.get('search', 1)).toBe('newer');
    await three.tier.close();
  });
});

describe('a consolidation while a file can not be read that may hold older entries', () => {
  const fortyDays = 40 * 86_400_000;
  const covers: Record<string, (two: TestTier) => void> = {
    'a deletion': (two) => two.delete('search', 1),
    'a clear of the method': (two) => two.tier.clear('search', two.stamps.next()),
    'a clear of all': (two) => two.tier.clear(undefined, two.stamps.next()),
    'an invalidated tag': (two) => two.tier.invalidateTag('news', two.stamps.next()),
    'a value that has expired': (two) => two.set('search', 1, 'newer', { expiresAt: two.clock.now() + 1 }),
  };
  /** What the file with the older entry has to do with the folder, and which call on which path fails. */
  const places: Record<string, { age: number; isReadOnly?: true; operation: Trouble['operation'] }> = {
    'of the same month': { age: 1_000, operation: 'openToRead' },
    'of another month': { age: fortyDays, operation: 'read' },
    'that was given': { age: fortyDays, isReadOnly: true, operation: 'openToRead' },
    'in a folder that can not be listed': { age: fortyDays, operation: 'list' },
  };

  async function consolidateBeside(
    cover: (two: TestTier) => void,
    { age, isReadOnly, operation }: (typeof places)[string],
    isReadable: boolean,
  ): Promise<{ dropped: number; answer: unknown }> {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart - age);
    files.now = () => clock.now();
    const older = isReadOnly ? '/data/given' : persistDir;
    const given = isReadOnly ? { loadCache: [older] } : {};
    const one = makeDiskTier({ persistDir: older, files, clock });
    one.set('search', 1, 'older', { tags: ['news'] });
    await one.tier.close();
    const paths = files.paths();
    clock.advance(age);
    const two = makeDiskTier({ persistDir, files, clock });
    cover(two);
    two.set('search', 2, 'of the same file');
    await two.tier.close();
    clock.advance(86_400_000);
    const disk = troubled(files, operation === 'list' ? [`${persistDir}/2026-10`] : paths);
    disk.state.trouble = { code: 'EIO', operation };
    if (isReadable) {
      disk.state.trouble = undefined;
      for (const path of paths) await files.unlink(path);
    }
    const options = { persistDir, files: disk.files, clock, tombstoneTtl: 1_000, ...given };
    const three = makeDiskTier(options);
    const report = await three.tier.consolidate();
    expect(report.failures).toBe(0);
    await three.tier.close();
    disk.state.trouble = undefined;
    const four = makeDiskTier(options);
    await four.tier.load({ mode: 'full' });
    const answer = await four.get('search', 1);
    expect(await four.get('search', 2)).toBe('of the same file');
    await four.tier.close();
    return { dropped: report.dropped.deletions + report.dropped.expired, answer };
  }

  for (const [what, cover] of Object.entries(covers)) {
    for (const [where, place] of Object.entries(places)) {
      it(`keeps ${what} for the sake of a file ${where}`, async () => {
        expect(await consolidateBeside(cover, place, false)).toMatchObject({ answer: undefined });
      });
    }

    it(`drops ${what} once there is no such file`, async () => {
      const { dropped } = await consolidateBeside(cover, places['of another month']!, true);
      expect(dropped).toBeGreaterThan(0);
    });
  }
});

describe('a full load that fails halfway', () => {
  it('leaves nothing out of the loads that follow', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    files.now = () => clock.now();
    const writer = makeDiskTier({ persistDir, files, clock });
    writer.set('search', 1, 'older');
    await writer.tier.flush();
    const disk = troubled(files, [persistDir]);
    const reader = makeDiskTier({ persistDir, files: disk.files, clock });
    expect(await reader.get('search', 1)).toBe('older');
    clock.advance(1_000);
    writer.set('search', 1, 'newer');
    await writer.tier.flush();
    files.plant(`${monthFolder}/${hashMethod('gone')}_20261121_0.cache`, Buffer.from('x'));
    // A file that is gone when it is its turn has the folder listed again, and that fails.
    const { openToRead } = disk.files;
    const vanishing: FileSystem['openToRead'] = async (path) => {
      if (path.includes(hashMethod('gone'))) {
        disk.state.trouble = { code: 'EIO', operation: 'list' };
        throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      }
      return openToRead(path);
    };
    Object.assign(disk.files, { openToRead: vanishing });
    await expect(reader.tier.load({ mode: 'full' })).rejects.toThrow('EIO');
    disk.state.trouble = undefined;
    await files.unlink(`${monthFolder}/${hashMethod('gone')}_20261121_0.cache`);
    await reader.tier.load();
    expect(await reader.get('search', 1)).toBe('newer');
    await reader.tier.close();
    await writer.tier.close();
  });
});
