/** The tokens under which records are being updated. */

import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { UpdateTokens } from '../../src/source/update-tokens.js';
import { FakeClock } from '../../src/testing/index.js';
import { measured, usedBytes } from '../helper/used-memory.js';

it('forgets records that have settled, though none is read', measured, async () => {
  const [clock, cache] = [new FakeClock(), new CacheManager()];
  const tokens = new UpdateTokens<string>(cache, 'settings', clock);
  const before = await usedBytes();
  for (let id = 0; id < 20; id++) {
    tokens.settle(`${id}`.padStart(1_000_000), 1_000);
    clock.advance(2_000);
  }
  expect((await usedBytes()).all - before.all).toBeLessThan(5_000_000);
  expect(tokens.isSettling('19'.padStart(1_000_000))).toBe(false);
  await cache.close();
});
