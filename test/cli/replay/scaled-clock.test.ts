import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { scaledClock } from '../../../src/cli/replay/scaled-clock.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test('at a scale of 1/100 a real second is 100 seconds of the trace', () => {
  const clock = scaledClock(0.01);
  const callback = vi.fn();
  clock.schedule(callback, 60_000);
  vi.advanceTimersByTime(599);
  expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(401);
  expect(callback).toHaveBeenCalledOnce();
  expect(clock.elapsed()).toBeCloseTo(100_000);
  expect(clock.now()).toBe(1_100_000);
});

test('a timer that is called off stays silent', () => {
  const callback = vi.fn();
  scaledClock(0.5).schedule(callback, 100).cancel();
  vi.advanceTimersByTime(1000);
  expect(callback).not.toHaveBeenCalled();
});

test('a replay that does not wait has real time', () => {
  const clock = scaledClock(0);
  vi.advanceTimersByTime(1000);
  expect(clock.now()).toBe(1_001_000);
});
