/** The index holds what is on disk: keys and files that have left it leave memory too. */

import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

const persistDir = '/data/cache';
const day = 86_400_000;

function makeFolder() {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  return { files, clock };
}

it('forgets keys that never repeat, once they have left the disk', async () => {
  const folder = makeFolder();
  const one = makeDiskTier({ persistDir, ...folder, maxDiskAge: day });
  one.set('search', 'first', 'kept', { createdAt: testStart });
  let most = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let key = 0; key < 5_000; key += 1) one.set('search', `${round} ${key}`, key);
    one.set('search', 'last', round);
    await one.tier.flush();
    folder.clock.advance(3 * day);
    await one.tier.consolidate();
    most = Math.max(most, one.tier.counters.indexedKeys);
  }
  expect(most).toBeLessThan(12_000);
  expect(one.tier.size).toBe(0);
  one.set('search', 'last', 'again');
  await one.tier.flush();
  expect(await one.get('search', 'last')).toBe('again');
  expect(one.errors).toEqual([]);
  await one.tier.close();
});

it('forgets them too where another process has taken them from the disk', async () => {
  const folder = makeFolder();
  const one = makeDiskTier({ persistDir, ...folder });
  for (let key = 0; key < 12_000; key += 1) one.set('search', key, key);
  one.set('fetch', 1, 'kept');
  await one.tier.flush();
  for (let key = 0; key < 12_000; key += 1) one.delete('search', key);
  await one.tier.flush();
  const files = folder.files.beside();
  folder.clock.advance(90 * day);
  const other = makeDiskTier({ persistDir, files, clock: folder.clock });
  await other.tier.consolidate();
  await other.tier.close();
  expect(one.tier.counters.indexedKeys).toBe(12_001);
  await one.tier.load();
  expect(one.tier.counters.indexedKeys).toBe(1);
  expect(await one.get('fetch', 1)).toBe('kept');
  expect(await one.get('search', 1)).toBeUndefined();
  await one.tier.close();
});

it('keeps what is known of keys while most of them are there', async () => {
  const folder = makeFolder();
  const one = makeDiskTier({ persistDir, ...folder });
  for (let key = 0; key < 12_000; key += 1) one.set('search', key, key);
  await one.tier.flush();
  for (let key = 0; key < 4_000; key += 1) one.delete('search', key);
  await one.tier.flush();
  folder.clock.advance(90 * day);
  const { length } = folder.files.calls;
  await one.tier.consolidate();
  expect(one.tier.counters.indexedKeys).toBe(12_000);
  expect(folder.files.calls.length - length).toBeLessThan(200);
  await one.tier.close();
});
