/** A tier that closes opens nothing any more: no file that was opened late stays open, and no folder is entered again. */

import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';
import { FaultyFileSystem } from '../helper/faulty-file-system.js';
import { settle } from '../helper/gate.js';

const persistDir = '/data/cache';
const methods = Array.from({ length: 40 }, (_, number) => `tool-${number}`);

/** A folder with a file for each of many methods. */
async function fill(): Promise<{ files: FaultyFileSystem; clock: FakeClock }> {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const { tier, set } = makeDiskTier({ persistDir, files, clock });
  for (const method of methods) set(method, 1, `of ${method}`);
  await tier.close();
  return { files, clock };
}

/** What may be under way when a tier closes. */
const work: Record<string, (one: TestTier) => Promise<unknown>> = {
  lookups: ({ get }) => Promise.allSettled(methods.map((method) => get(method, 1))),
  'one lookup after another': async ({ get }) => {
    for (const method of methods) await get(method, 1);
  },
  'a load': ({ tier }) => tier.load(),
  'a full load': ({ tier }) => tier.load({ mode: 'full' }),
  'a load of files': ({ tier }) => tier.load({ files: [persistDir] }),
  'a consolidation': ({ tier }) => tier.consolidate(),
  'a merge': ({ tier }) => tier.mergeFrom(['/data/other']),
  'a flush': ({ tier, set }) => {
    set('tool-0', 2, 'late');
    return tier.flush();
  },
  'an iteration': async ({ tier }) => {
    for await (const record of tier.entries()) expect(record.key).toHaveLength(32);
  },
};

for (const [name, start] of Object.entries(work)) {
  it(`leaves no file open that ${name} under way opens`, async () => {
    const disk = await fill();
    for (let turns = 0; turns < 60; turns += 3) {
      const files = disk.files.copy();
      const one = makeDiskTier({ persistDir, files, clock: disk.clock });
      await one.tier.open();
      const running = start(one).catch(() => undefined);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      await one.tier.close();
      const { length } = files.calls;
      await running;
      await settle();
      expect({ turns, open: files.openFiles }).toEqual({ turns, open: 0 });
      expect(files.calls.slice(length).filter((call) => !call.startsWith('close '))).toEqual([]);
    }
  });
}

it('ends an iteration under way with an error that says so', async () => {
  const { files, clock } = await fill();
  const { tier, errors } = makeDiskTier({ persistDir, files, clock });
  let seen = 0;
  const iterate = async () => {
    for await (const _ of tier.entries()) {
      seen += 1;
      if (seen === 1) await tier.close();
    }
  };
  await expect(iterate()).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  expect(seen).toBeLessThan(methods.length);
  expect(errors).toEqual([]);
  expect(files.openFiles).toBe(0);
});

it('enters its folder no more once it has closed, though something waits that could not be written', async () => {
  const { files, clock } = await fill();
  const { tier, set } = makeDiskTier({ persistDir, files, clock });
  set('tool-0', 2, 'unwritten');
  files.failAt(files.calls.length, 'EIO', true);
  await expect(tier.close()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
  files.heal();
  const { length } = files.calls;
  await expect(tier.flush()).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  await settle();
  expect(files.calls.slice(length)).toEqual([]);
  expect(tier.counters.droppedEntries).toBe(1);
});

it('leaves no descriptor of the process open, and counts no error, when lookups and an iteration are under way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolstash-closing-'));
  const openIn = () =>
    readdirSync('/proc/self/fd').filter((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(folder);
      } catch {
        // It was open to list them.
        return false;
      }
    });
  const writing = await CacheManager.open({ persist: true, persistDir: folder });
  for (const method of methods) await writing.set(method, 1, `of ${method}`);
  await writing.close();
  const reading = await CacheManager.open({ persist: true, persistDir: folder });
  const iteration = reading.entries();
  await iteration.next();
  const lookups = methods.map((method) => reading.get(method, 1));
  const rest = (async () => {
    for await (const _ of iteration);
  })();
  const ended = expect(rest).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  await reading.close();
  await Promise.allSettled(lookups);
  await ended;
  expect(openIn()).toEqual([]);
  expect(reading.stats().cacheErrors).toBe(0);
  await rm(folder, { recursive: true });
});
