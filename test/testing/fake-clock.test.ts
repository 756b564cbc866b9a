import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../src/testing/fake-clock.js';

describe('FakeClock', () => {
  test('stands still until it is moved', () => {
    const clock = new FakeClock(1000);
    expect([clock.now(), clock.elapsed()]).toEqual([1000, 0]);
    clock.advance(250);
    expect([clock.now(), clock.elapsed()]).toEqual([1250, 250]);
  });

  test('runs due timers in order of time, then of arming, each at its own moment', () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    const arm = (name: string, delay: number) =>
      clock.schedule(() => ran.push(`${name} at ${clock.now()}`), delay);
    arm('late', 30);
    arm('early', 10);
    arm('also early', 10);
    arm('too late', 31);
    clock.advance(30);
    expect(ran).toEqual(['early at 10', 'also early at 10', 'late at 30']);
    expect(clock.pending).toBe(1);
  });

  test('runs what timers arm, as long as it comes due', () => {
    const clock = new FakeClock(0);
    const ran: number[] = [];
    const again = () => {
      ran.push(clock.elapsed());
      clock.schedule(again, 10);
    };
    clock.schedule(again, 10);
    clock.advance(35);
    expect(ran).toEqual([10, 20, 30]);
  });

  test('counts a delay of 0 as 1 ms, as Node does', () => {
    const clock = new FakeClock(0);
    let runs = 0;
    const again = () => {
      runs += 1;
      clock.schedule(again, 0);
    };
    clock.schedule(again, 0);
    clock.advance(0);
    expect(runs).toBe(0);
    clock.advance(5);
    expect(runs).toBe(5);
  });

  test('runs no cancelled timer, also when another timer cancels it', () => {
    const clock = new FakeClock();
    let runs = 0;
    const cancelled = clock.schedule(() => (runs += 1), 10);
    const other = clock.schedule(() => (runs += 1), 20);
    clock.schedule(() => other.cancel(), 15);
    cancelled.cancel();
    cancelled.cancel();
    clock.advance(100);
    expect(runs).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('moves the wall time alone when it is set', () => {
    const clock = new FakeClock(1_000_000);
    let runs = 0;
    clock.schedule(() => (runs += 1), 100);
    clock.setWallTime(5);
    expect([clock.now(), clock.elapsed(), runs]).toEqual([5, 0, 0]);
    clock.advance(100);
    expect([clock.now(), clock.elapsed(), runs]).toEqual([105, 100, 1]);
  });

  test('lets promises settle between timers', async () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    clock.schedule(async () => {
      await Promise.resolve();
      await Promise.resolve();
      ran.push('first, awaited');
    }, 10);
    clock.schedule(() => ran.push('second'), 20);
    await clock.advanceAsync(20);
    expect(ran).toEqual(['first, awaited', 'second']);
  });

  test('runs timers that a promise arms on the way', async () => {
    const clock = new FakeClock();
    const sleep = (ms: number) => new Promise<void>((resolve) => clock.schedule(resolve, ms));
    let isDone = false;
    const work = async () => {
      await sleep(10);
      await sleep(10);
      isDone = true;
    };
    void work();
    await clock.advanceAsync(20);
    expect(isDone).toBe(true);
  });
});
