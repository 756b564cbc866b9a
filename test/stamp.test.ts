import { describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.js';
import { compareStamps, StampClock } from '../src/stamp.js';
import { FakeClock } from '../src/testing/fake-clock.js';

/** A clock that tells whole milliseconds, as the machine's does, and elapsed time in full. */
class CoarseClock extends FakeClock {
  override now(): number {
    return Math.floor(super.now());
  }
}

describe('stamps', () => {
  it('of two processes in one millisecond are in the order in which they were given out', () => {
    const clock = new CoarseClock();
    const load = new StampClock(clock, 'f'.repeat(16));
    const change = new StampClock(clock, '0'.repeat(16));
    // The processes have been running for a while, so that each knows how far a millisecond has come.
    for (let step = 0; step < 200; step += 1) {
      clock.advance(0.03);
      load.next();
      change.next();
    }
    let late = 0;
    for (let round = 0; round < 300; round += 1) {
      clock.advance(0.7);
      const began = load.begin();
      clock.advance(0.1);
      if (compareStamps(change.next(), began) < 0) late += 1;
    }
    expect(late).toBe(0);
  });

  it('are whole numbers also by a clock that tells fractions, off by as much from the one that is followed', () => {
    const clock = new FakeClock(1_000.123_456_7);
    const stamps = new StampClock(clock, 'a'.repeat(16));
    stamps.follow({ ahead: 0.123_456_7, uncertainty: 0.5 });
    for (const { time } of [stamps.next(), stamps.begin(), stamps.beginAmongOthers()])
      expect(time).toSatisfy(Number.isSafeInteger);
  });

  it.each([0, 0.4, -0.4, 3.7, -3.7])(
    'of two that have just begun are in this order by the real clock, which was set by %d ms since the process began',
    (set) => {
      const now = () => Math.floor(performance.timeOrigin + performance.now() + set);
      const clock = { ...systemClock, now };
      const wait = (milliseconds: number) => {
        const until = clock.elapsed() + milliseconds;
        while (clock.elapsed() < until);
      };
      // The process has been running for a while.
      for (let step = 0; step < 500; step += 1) {
        wait(0.031);
        new StampClock(clock, 'e'.repeat(16)).next();
      }
      for (let round = 0; round < 100; round += 1) {
        const began = new StampClock(clock, 'f'.repeat(16)).begin();
        wait(0.05);
        const changed = new StampClock(clock, '0'.repeat(16)).next();
        expect(compareStamps(changed, began)).toBeGreaterThan(0);
      }
    },
  );

  it('stay within the millisecond that the clock tells, also after it was set', () => {
    const clock = new CoarseClock();
    const stamps = () => new StampClock(clock, 'a'.repeat(16)).next().time;
    for (const wall of [clock.now(), clock.now() + 3_600_000.5, clock.now() - 7_200_000.25]) {
      clock.setWallTime(wall);
      for (let step = 0; step < 50; step += 1) {
        clock.advance(0.13);
        const time = stamps();
        expect(Math.floor(time / 1_000)).toBe(clock.now());
        expect(Number.isSafeInteger(time)).toBe(true);
      }
    }
  });

  it('are newer than all before, whatever becomes of the clock', () => {
    const clock = new CoarseClock();
    const stamps = new StampClock(clock, 'a'.repeat(16));
    let last = stamps.next();
    for (const wall of [0, -5_000, 10_000, -60_000]) {
      clock.setWallTime(Date.UTC(2026, 0, 1) + wall);
      for (const give of [() => stamps.next(), () => stamps.begin()]) {
        const stamp = give();
        expect(compareStamps(stamp, last)).toBeGreaterThan(0);
        last = stamp;
      }
    }
    stamps.observe({ time: last.time + 1_000_000, writer: 'b'.repeat(16) });
    expect(stamps.begin().time).toBe(last.time + 1_000_001);
  });

  it('go by the time of a shared folder, and loads by the earliest that it may have been', () => {
    const clock = new FakeClock();
    const fast = new StampClock(clock, 'a'.repeat(16));
    fast.follow({ ahead: 10_000_000, uncertainty: 20_000 });
    const now = clock.now() * 1_000;
    expect(fast.begin().time).toBe(now - 10_000_000 - 20_000);
    expect(fast.next().time).toBe(now - 10_000_000);
    fast.setBack(5_000_000);
    fast.follow({ ahead: 15_000_000, uncertainty: 0 });
    expect(fast.next().time).toBe(now - 15_000_000 + 1);
  });
});
