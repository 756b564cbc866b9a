import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { soak } from './soak.js';

it('ends every call by its deadline and gives every turn back, whatever the tool does, for twenty seconds', async () => {
  const clock = new FakeClock();
  const seed = Math.floor(Math.random() * 2 ** 31);
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1) await clock.advanceAsync(1);
  };
  const { problems, calls, outcomes, latestMs } = await soak({ clock, pass, durationMs: 20_000, seed });
  expect(problems, `seed ${seed}`).toEqual([]);
  expect(calls).toBeGreaterThan(1000);
  expect(latestMs).toBeLessThanOrEqual(1);
  expect(Math.min(outcomes['value']!, outcomes['left']!, outcomes['ERR_LOADER_TIMEOUT']!)).toBeGreaterThan(0);
});
