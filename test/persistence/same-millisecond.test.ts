/** Two caches on one folder: what one deletes during the other's load stays deleted, within one millisecond too. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';

const rounds = 100;
let persistDir: string;
beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-millisecond-'));
});
afterEach(() => rmSync(persistDir, { recursive: true, force: true }));

it('a delete in the same millisecond as the load of another cache wins', async () => {
  const options = { persist: true, persistDir, mode: 'multi', consolidateInterval: null } as const;
  // Neither hears of the other before it is told to.
  const quiet = { ...options, syncInterval: '1h', flushInterval: '1h', flushOnExit: false } as const;
  await using loading = await CacheManager.open(quiet);
  await using deleting = await CacheManager.open(quiet);
  const loads: Promise<string>[] = [];
  const answers: ((answer: string) => void)[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await loading.set('other', round, 'gives out a stamp more than the other cache');
    await new Promise<void>((begun) => {
      const tool = () =>
        new Promise<string>((answer) => {
          answers.push(answer);
          begun();
        });
      loads.push(loading.getOrSet('tool', round, tool));
    });
    await deleting.delete('tool', round);
  }
  for (const answer of answers) answer('loaded before it was deleted');
  await Promise.all(loads);
  for (const cache of [loading, deleting]) await cache.flush();
  for (const cache of [loading, deleting]) await cache.load();
  const keys = Array.from({ length: rounds }, (_, round) => round);
  for (const cache of [loading, deleting]) {
    const left = await cache.getMany('tool', keys);
    expect(left.filter((value) => value !== undefined)).toEqual([]);
  }
  expect(loading.stats('other').cacheErrors).toBe(0);
});
