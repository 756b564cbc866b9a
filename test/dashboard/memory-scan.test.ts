/** What the page shows of all entries in memory. */

import { expect, test } from 'vitest';
import { MemoryScan } from '../../src/dashboard/memory-scan.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { FakeClock } from '../../src/testing/index.js';

test('what has saved most is found, wherever it lies among the others', async () => {
  const clock = new FakeClock();
  await using cache = new CacheManager({ maxSize: 60_000, clock });
  for (let id = 0; id < 50_000; id += 1) cache.setSync('cheap', id, id, { ttl: '30m' });
  const load = (ms: number) => () => {
    clock.advance(ms);
    return 1;
  };
  for (let id = 0; id < 30; id += 1)
    for (let repeat = 0; repeat < 3; repeat += 1) await cache.getOrSet('costly', id, load(100 + id));
  const scan = new MemoryScan(coreOf(cache)!);
  await expect.poll(async () => (await scan.read()).lookedAt).toBe(50_030);
  const { top, due } = await scan.read();
  expect(top.map(({ method, savedMs }) => [method, savedMs])).toEqual(
    Array.from({ length: 10 }, (_, at) => ['costly', 2 * (129 - at)]),
  );
  expect(due.reduce((sum, { entries }) => sum + entries, 0)).toBe(50_030);
  expect(await scan.whole()).toMatchObject({ lookedAt: 50_030, top });
  // As they are now, and gone once they are deleted.
  const [first, second] = top;
  for (let more = 0; more < 5; more += 1) await cache.get('costly', 28);
  expect((await scan.read()).top[0]).toMatchObject({ key: second!.key, uses: 7 });
  await cache.delete('costly', 28);
  expect((await scan.read()).top[0]).toEqual(first);
});

test('a pass goes on by itself, lets others run, and ends with the dashboard', async () => {
  await using cache = new CacheManager({ maxSize: 40_000 });
  for (let id = 0; id < 40_000; id += 1) cache.setSync('m', id, id);
  const scan = new MemoryScan(coreOf(cache)!);
  let turns = 0;
  const count = setInterval(() => {
    turns += 1;
  }, 1);
  const first = await scan.read();
  expect(first.lookedAt).toBeGreaterThan(0);
  await expect.poll(async () => (await scan.read()).lookedAt, { timeout: 60_000 }).toBe(40_000);
  clearInterval(count);
  expect(turns).toBeGreaterThan(5);
  const other = new MemoryScan(coreOf(cache)!);
  const underWay = other.read();
  other.stop();
  expect((await underWay).lookedAt).toBeLessThan(40_000);
});
