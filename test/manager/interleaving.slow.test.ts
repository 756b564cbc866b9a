/**
 * Every order in which calls, writes, loads, aborts, flushes, files, restarts and kills can meet, drawn by fast-check's
 * scheduler. Each call of the file system and of zlib's thread pool is a step of it, so a seed tells the whole draw.
 *
 * Faults planted once, and after how many draws each was caught, with nothing, a map and the disk below memory; without
 * guards, then with every guard; `-`: not in 200 draws, or not a fault there.
 *
 * - a late result stored after a delete: 1, 1, 7; 7, 23, 8
 * - a disk read brought into memory after a delete: -, -, -; -, 14, - (over the disk it takes one turn of the microtask
 *   queue: `every-await.slow.test.ts` meets that at turn 75 of 82)
 * - an entry deleted during its flush that comes back: -, -, 9; -, -, 2
 * - tag invalidation ignored by a disk read: -, -, 2; -, -, 19
 * - a stale value answered 200 ms past its limit: -, -, -; 1, 2, 1
 * - a value for errors only answered at once from below: -, -, -; -, 7, 2
 * - two renewals of a key at once: -, -, -; 10, 3, 14
 * - a set that the filter of known keys does not hear of: -, -, -; 127, 12, 23
 * - markers that wait forgotten by a load of all files: -, -, 22; -, -, -
 */

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { CacheOptions } from '../../src/index.js';
import { inForm } from '../helper/form.js';
import { drawOf, guardedEndings, plainEndings } from './interleaving/commands.js';
import { play } from './interleaving/play.js';
import { type Answer, newTally, ToolError } from './interleaving/world.js';

vi.mock('node:zlib', async (actual) =>
  (await import('./interleaving/stepped-zlib.js')).steppedZlib(await actual()),
);

/** `npm run test:interleaving` draws 10,000. */
const runs = Number(process.env['TOOLSTASH_INTERLEAVINGS'] ?? inForm({ short: 240, long: 2000 }));

/** Every guard at once. */
const guards = {
  staleWhileRevalidate: 300,
  staleIfError: 600,
  refreshAhead: { beta: 50 },
  jitter: 0.2,
  memoryTtl: 800,
  negativeTtl: 100,
  isNegative: (value) => (value as Answer).is === 'nothing',
  cacheErrors: (error) => error instanceof ToolError && 250,
  isError: (value) => (value as Answer).is === 'error result',
  softTimeout: 150,
  hardTimeout: 900,
  concurrency: { limit: 2, queueLimit: 4 },
  circuitBreaker: { failures: 4, openFor: 300 },
  cost: (value) => 1 + (value as Answer).key,
  methods: { sliding: { sliding: true, ttl: 200, maxAge: 500 } },
} as const satisfies CacheOptions;

describe('a cache under interleaved calls', () => {
  it.each([
    ['nothing', 'no guard', {}, false],
    ['a map', 'no guard', {}, false],
    ['the disk', 'no guard', {}, false],
    ['nothing', 'every guard', guards, true],
    ['a map', 'every guard', guards, true],
    ['the disk', 'every guard', guards, true],
  ] as const)(
    'never answers with what is older than the last completed write or its time, loads once, and settles every caller, with %s below memory and %s',
    async (below, name, options, hasFilter) => {
      const tally = newTally();
      const hasDisk = below === 'the disk';
      const endings = hasFilter ? guardedEndings : plainEndings;
      const setting = { below, options, hasFilter };
      const property = fc.asyncProperty(
        fc.scheduler(),
        drawOf({ endings, hasDisk, hasFilter }),
        async (scheduler, draw) => {
          expect(await play(scheduler, draw, setting, tally)).toEqual([]);
        },
      );
      await fc.assert(property, { numRuns: Math.ceil(runs / 6) });
      if (runs >= 2000) {
        // Else nothing was tried of what is promised here.
        const { fresh, revalidate, error, timeout, denied, ...disk } = tally;
        expect(fresh).toBeGreaterThan(0);
        if (hasFilter) expect(Math.min(revalidate, error + timeout, denied)).toBeGreaterThan(0);
        const { errors: _, staleFromDisk, ...counts } = disk;
        if (hasDisk) expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
        if (hasDisk && hasFilter) expect(staleFromDisk).toBeGreaterThan(0);
      }
      const told = Object.entries(tally).filter(([, count]) => count > 0);
      console.log(`${below} below, ${name}: ${told.map(([what, count]) => `${count} ${what}`).join(', ')}`);
    },
    Math.max(120_000, runs * 100),
  );
});
