import { afterEach, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';
import { turnsDuring } from '../../helper/turns.js';

afterEach(() => {
  vi.restoreAllMocks();
});

// Its files are in memory: they take no turns themselves.
it('lets others run while it reads the headers of a large file', async () => {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const open = () => makeDiskTier({ persistDir: '/data/cache', files, clock });
  const { tier, set } = open();
  for (let key = 0; key < 10_000; key += 1) set('search', key, 'some value or other');
  await tier.close();
  // Every look at the time takes a millisecond.
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 1;
    return now;
  });
  const again = open();
  expect(await turnsDuring(() => again.tier.open())).toBeGreaterThan(2);
  expect(again.tier.size).toBe(10_000);
  await again.tier.close();
});
