/** A failed reading of a member is a failed reading: it is neither damage nor a miss, and is told where nobody waits for it. */

import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../src/persistence/file-system.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../../helper/disk-tier.js';
import { type Fault, FaultyFileSystem } from '../../helper/faulty-file-system.js';

const persistDir = '/data/cache';

/** A folder with entries in two members, and a reader that knows them but has not read them. */
async function makeReader() {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const writer = makeDiskTier({ persistDir, files, clock });
  writer.set('search', 1, 'first');
  await writer.tier.flush();
  writer.set('search', 2, `second ${'x'.repeat(2_000)}`);
  await writer.tier.close();
  const [path] = files.paths();
  const view = files.beside();
  const reader = makeDiskTier({ persistDir, files: view, clock });
  await reader.tier.open();
  return { files, clock, path: path!, view, reader };
}

describe('a member', () => {
  for (const fault of ['EIO', 'EMFILE', 'short'] as const satisfies Fault[]) {
    it(`whose file has become another, which fails with ${fault}, is no damage`, async () => {
      const { files, clock, path, view, reader } = await makeReader();
      // Another file of that name, without a member at the place.
      const other = makeDiskTier({ persistDir: '/data/other', files, clock });
      other.set('search', 1, 'of another file');
      for (let key = 10; key < 50; key += 1) other.set('search', key, `${key}`);
      await other.tier.close();
      const [source] = files.paths().filter((each) => each.startsWith('/data/other'));
      files.plant(path, files.peek(source!));
      await files.unlink(source!);
      // Opening, reading the place, its status, and then the head of the file.
      for (let call = 0; call < 4; call += 1) {
        view.failAt(view.calls.length + call, fault);
        await reader.get('search', 2).then(
          (value) => expect(value).toBeUndefined(),
          (error: unknown) => expect(error).toMatchObject({ code: 'ERR_STORAGE' }),
        );
        view.heal();
      }
      expect(await reader.get('search', 2)).toBeUndefined();
      expect(await reader.get('search', 1)).toBe('of another file');
      expect(reader.errors.filter(({ code }) => code !== 'ERR_STORAGE')).toEqual([]);
      await reader.tier.load();
      expect(reader.tier.counters).toMatchObject({ quarantinedFiles: 0, salvagedMembers: 0 });
      await reader.tier.close();
    });
  }

  it('is answered though its file could not be closed, which is counted and told', async () => {
    const { files, clock } = await makeReader();
    const unclosable: FileSystem = {
      openToRead: async (path) => {
        const file = await files.openToRead(path);
        return { ...file, close: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) };
      },
      openToAppend: (path) => files.openToAppend(path),
      create: (path, mode) => files.create(path, mode),
      list: (path) => files.list(path),
      status: (path) => files.status(path),
      makeFolder: (path, options) => files.makeFolder(path, options),
      link: (path, newPath) => files.link(path, newPath),
      rename: (path, newPath) => files.rename(path, newPath),
      unlink: (path) => files.unlink(path),
      syncFolder: (path) => files.syncFolder(path),
    };
    const reader = makeDiskTier({ persistDir, files: unclosable, clock });
    expect(await reader.get('search', 1)).toBe('first');
    const { length } = reader.errors;
    await reader.tier.close();
    expect(reader.errors.slice(length)).toMatchObject([{ code: 'ERR_STORAGE', cause: { code: 'EIO' } }]);
    expect(reader.tier.counters.errors).toBe(reader.errors.length);
  });
});
