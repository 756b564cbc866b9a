/**
 * Every order in which calls, writes, loads, aborts, flushes, files, restarts and kills can meet, drawn by fast-check's
 * scheduler. Each call of the file system and of zlib's thread pool is a step of it, so a seed tells the whole draw.
 *
 * Faults planted once, and the draw at which each was caught, by what lies below memory (nothing, a map, the disk):
 *
 * PLANTED
 */

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { CacheOptions } from '../../src/index.js';
import { drawOf, guardedEndings, plainEndings } from './interleaving/commands.js';
import { play } from './interleaving/play.js';
import { type Answer, newTally, ToolError } from './interleaving/world.js';

vi.mock('node:zlib', async (actual) =>
  (await import('./interleaving/stepped-zlib.js')).steppedZlib(await actual()),
);

/** 2,000 in the suite; `npm run test:interleaving` draws 10,000. */
const runs = Number(process.env['TOOLSTASH_INTERLEAVINGS'] ?? 2000);

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
      const told = Object.entries(tally).filter(([, count]) => count > 0);
      console.log(`${below} below, ${name}: ${told.map(([what, count]) => `${count} ${what}`).join(', ')}`);
    },
    Math.max(120_000, runs * 100),
  );
});
