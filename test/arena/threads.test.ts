import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SharedArena } from '../../src/arena/shared-arena.js';
import { inForm } from '../helper/form.js';
import { isLinearizable, type Operation } from './linearizable.js';
import { randomFrom } from './random.js';
import { check, fill, keyOf, type Recorded, step } from './thread.js';
import { bundle, TestThread } from './threads.js';
import { WholeEntry } from './whole-entry.js';

let program: Awaited<ReturnType<typeof bundle>>;
beforeAll(async () => {
  program = await bundle('thread');
});
afterAll(() => program.remove());

const newShared = () => new SharedArrayBuffer(12);

function stop(shared: SharedArrayBuffer): void {
  const words = new Int32Array(shared);
  Atomics.store(words, 2, 1);
  Atomics.add(words, 1, 1);
  for (const word of [1, 2]) Atomics.notify(words, word);
}

function storeAndRead(arena: SharedArena, scratch: WholeEntry, number: number): boolean {
  const key = keyOf(number);
  fill(scratch, key, number, 40);
  const { outcome } = arena.stripeOf(key).write(key, scratch, { now: 0 });
  return outcome === 'stored' && arena.stripeOf(key).read(key, scratch) && check(scratch, key) === number;
}

describe('the checker of histories', () => {
  const of = (kind: Operation['kind'], value: number, began: number, ended: number) => ({
    kind,
    value,
    began,
    ended,
  });

  it('takes what can be put in an order', () => {
    expect(
      isLinearizable([of('set', 1, 0, 5), of('get', 1, 1, 2), of('set', 2, 3, 4), of('get', 2, 6, 7)]),
    ).toBe(true);
    expect(
      isLinearizable([of('set', 1, 0, 1), of('set', 2, 2, 9), of('get', 1, 3, 4), of('get', 2, 5, 6)]),
    ).toBe(true);
  });

  it('refuses what can not', () => {
    expect(isLinearizable([of('set', 1, 0, 1), of('set', 2, 2, 3), of('get', 1, 4, 5)])).toBe(false);
    expect(isLinearizable([of('set', 1, 0, 1), of('delete', 0, 2, 3), of('get', 1, 4, 5)])).toBe(false);
    const back = [of('set', 1, 0, 1), of('set', 2, 2, 9), of('get', 2, 3, 4), of('get', 1, 5, 6)];
    expect(isLinearizable(back)).toBe(false);
  });
});

describe('an arena that threads share', () => {
  it('is linearizable, but that entries may leave', async () => {
    const arena = SharedArena.create({ maxBytes: 2 ** 22, maxSize: 1_000 });
    const shared = newShared();
    const words = new Int32Array(shared);
    const threads = [1, 2, 3, 4].map(
      (seed) =>
        new TestThread(program.file, arena, { task: 'histories', seed, shared, keys: 3, mostWords: 8_000 }),
    );
    await Promise.all(threads.map((thread) => thread.message()));
    let [found, overlapping] = [0, 0];
    for (let round = 1; round <= inForm({ short: 60, long: 1_000 }); round += 1) {
      const messages = threads.map((thread) => thread.message());
      Atomics.store(words, 1, round);
      Atomics.notify(words, 1);
      const history = (await Promise.all(messages)).flat() as Recorded[];
      for (const key of [0, 1, 2]) {
        const own = history.filter((each) => each.key === key);
        // What an earlier history has left is the first that this one sets.
        const earlier = own.find(
          ({ kind, value }) =>
            kind === 'get' && !own.some((set) => set.kind === 'set' && set.value === value),
        );
        const before =
          earlier === undefined ? [] : [{ kind: 'set' as const, value: earlier.value, began: -2, ended: -1 }];
        expect(isLinearizable([...before, ...own]), JSON.stringify(own)).toBe(true);
        found += own.filter(({ kind }) => kind === 'get').length;
        overlapping += own.filter((each) => each.ended > each.began + 1).length;
      }
      await Promise.all(threads.map((thread) => thread.message()));
    }
    stop(shared);
    expect(found).toBeGreaterThan(100);
    expect(overlapping).toBeGreaterThan(0);
  });

  it('hands out no torn entry', async () => {
    // So small that entries are overwritten while they are read.
    const arena = SharedArena.create({ maxBytes: 2 ** 17, maxSize: 100 });
    const shared = newShared();
    const threads = [1, 2, 3].map(
      (seed) =>
        new TestThread(program.file, arena, { task: 'hammer', seed, shared, keys: 40, mostWords: 3_000 }),
    );
    await Promise.all(threads.map((thread) => thread.message()));
    const [scratch, below] = [new WholeEntry(), randomFrom(99)];
    const until = performance.now() + inForm({ short: 700, long: 60_000 });
    for (let value = 1; performance.now() < until; value += 1)
      step(arena, scratch, { below, keys: 40, mostWords: 3_000, value });
    const found = Promise.all(threads.map((thread) => thread.message()));
    stop(shared);
    for (const each of await found) expect(each).toBeGreaterThan(0);
    expect(arena.stats().evicted).toBeGreaterThan(100);
  });

  it('goes on when threads are terminated at any moment', async () => {
    const rounds = inForm({ short: 12, long: 1_000 });
    const arena = SharedArena.create({ maxBytes: 2 ** 24, maxSize: 20_000 });
    expect(arena.stripes.length).toBeGreaterThan(1);
    const shared = newShared();
    const task = { task: 'hammer', shared, keys: 400, mostWords: 2_000 } as const;
    const lasting = new TestThread(program.file, arena, { ...task, seed: 1 });
    await lasting.message();
    const [scratch, below] = [new WholeEntry(), randomFrom(5)];
    for (let round = 0; round < rounds; round += 1) {
      const doomed = new TestThread(program.file, arena, { ...task, seed: round + 2 });
      await doomed.message();
      await new Promise((resolve) => setTimeout(resolve, below(4)));
      await doomed.terminate();
      await expect.poll(() => arena.stats().threads).toBe(2);
      // In every stripe. A thread that lives may hold one for longer than a call waits, where the machine is busy.
      for (let number = 0; number < 8; number += 1) {
        await expect.poll(() => storeAndRead(arena, scratch, 1_000 + number)).toBe(true);
      }
    }
    const found = lasting.message();
    stop(shared);
    expect(await found).toBeGreaterThan(0);
  });

  it('takes nobody for dead who is only stopped, and waits for nobody', async () => {
    const arena = SharedArena.create({ maxBytes: 2 ** 24, maxSize: 20_000 });
    const [shared, scratch] = [newShared(), new WholeEntry()];
    const [held, free] = [keyOf(1), keyOf(2)];
    expect(arena.stripeOf(held)).not.toBe(arena.stripeOf(free));
    for (const number of [1, 2, 1 + arena.stripes.length])
      expect(storeAndRead(arena, scratch, number)).toBe(true);
    const paused = new TestThread(program.file, arena, {
      task: 'pause',
      seed: 1,
      shared,
      keys: 1,
      mostWords: 1,
    });
    expect(await paused.message()).toBe('paused');
    const until = performance.now() + inForm({ short: 100, long: 5_000 });
    while (performance.now() < until) {
      expect(arena.stripeOf(held).read(held, scratch)).toBe(false);
      expect(arena.stripeOf(held).delete(held).outcome).toBe(false);
      expect(storeAndRead(arena, scratch, 2)).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const done = paused.message();
    stop(shared);
    expect(await done).toBe('done');
    expect(arena.stripeOf(held).read(held, scratch)).toBe(false);
    const other = keyOf(1 + arena.stripes.length);
    expect(arena.stripeOf(other)).toBe(arena.stripeOf(held));
    expect(arena.stripeOf(other).read(other, scratch)).toBe(true);
    expect(arena.stats()).toMatchObject({ resets: 0 });
    expect(arena.stats().bypassedReads).toBeGreaterThan(0);
  });

  it('hears of a thread that another thread has shared it with', async () => {
    const arena = SharedArena.create({ maxBytes: 2 ** 20, maxSize: 1_000 });
    const second = SharedArena.attach(arena.share());
    const third = SharedArena.attach(second.share());
    expect(arena.stats().threads).toBe(3);
    second.close();
    await expect.poll(() => arena.stats().threads).toBe(2);
    // As if it had ended while it held a lock.
    const key = keyOf(1);
    const scratch = new WholeEntry();
    let isRead = true;
    third.stripeOf(key).withLoads(() => {
      isRead = arena.stripeOf(key).read(key, scratch);
    });
    expect(isRead).toBe(false);
    third.close();
    await expect.poll(() => arena.stats().threads).toBe(1);
    expect(storeAndRead(arena, scratch, 1)).toBe(true);
  });
});
