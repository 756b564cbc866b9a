/** How a link comes back where no server is. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RedisLink } from '../../src/remote/redis-link.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

it('is tried for ever, every two seconds at most, not in step with others, and told of once', async () => {
  const attempts: number[] = [];
  const errors: string[] = [];
  const nothing = () => undefined;
  const link = new RedisLink({
    ...{ times: { timeout: 100, heartbeat: 1_000 }, clock: systemClock, channels: [], scripts: [] },
    locate: () => {
      attempts.push(Date.now());
      return Promise.reject(new Error('nobody is there'));
    },
    onConnected: () => Promise.resolve(),
    onError: ({ message }) => errors.push(message),
    ...{ onMessage: nothing, onLost: nothing, onUsable: nothing },
  });
  link.start();
  await expect(link.opened()).rejects.toThrow('nobody is there');
  await vi.advanceTimersByTimeAsync(3_600_000);
  const gaps = attempts.slice(1).map((at, place) => at - attempts[place]!);
  expect(gaps.length).toBeGreaterThan(1_800);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(2_000);
  expect(gaps[0]).toBeLessThanOrEqual(100);
  expect(new Set(gaps).size).toBeGreaterThan(100);
  expect(errors).toEqual(["Redis can't be reached: nobody is there"]);
  await expect(link.inTime(() => Promise.resolve())).rejects.toThrow("Redis can't be reached");

  link.close();
  const before = attempts.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(attempts.length).toBe(before);
});
