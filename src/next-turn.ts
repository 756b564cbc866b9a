/** The next turn of the event loop, for real, and long work cut into turns: taken when this module is loaded, before any test fakes the timers. */

import timers from 'node:timers';
import { inBackground } from './clock.js';

const { setImmediate: soon, clearImmediate: callOff } = timers;

/** Runs `callback` in the next turn of the event loop, unless the returned function is called first. */
export function onNextTurn(callback: () => void): () => void {
  const immediate = soon(callback);
  return () => callOff(immediate);
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void soon(resolve));
}

/** The longest that others wait, in ms, but for the step under way. */
const longestSlice = 8;

/** Long work on the event loop in slices, so that tool calls go on meanwhile. */
export class TimeSlice {
  #end = performance.now() + longestSlice;

  /** Whether it is time to let others run. Asked once for many steps: it reads the clock. */
  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Lets others run, and begins the next slice. */
  async next(): Promise<void> {
    await nextTurn();
    this.#end = performance.now() + longestSlice;
  }
}

/** Visits items while others run. */
export async function eachInSlices<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
  const slice = new TimeSlice();
  for (const item of items) {
    if (slice.isOver) await slice.next();
    visit(item);
  }
}

/** Runs steps while others run, and returns what they come to. */
export async function inSlices<T>(steps: Iterator<unknown, T>): Promise<T> {
  const slice = new TimeSlice();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (slice.isOver) await slice.next();
  }
}

let lastTurn = Promise.resolve();

/**
 * A slice in a turn that no other work of this process shares which asks here: however many are at it, others wait for
 * one slice, and each of the many comes in turn.
 */
export async function ownSlice(): Promise<TimeSlice> {
  lastTurn = inBackground(() => lastTurn.then(nextTurn));
  await lastTurn;
  return new TimeSlice();
}

/**
 * What `run` resolves to for each item, in their order, of many at once; others run meanwhile. Whatever fails, all are run,
 * but where the list itself or `run` throws.
 * @param isFull whether to wait for those under way before the next
 * @throws what one of them has rejected with
 */
export async function allInSlices<T, R>(
  items: Iterable<T>,
  run: (item: T) => Promise<R>,
  isFull: () => boolean = () => false,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  let underWay: Promise<R>[] = [];
  const settle = async () => {
    // Each slice by itself: what a long list comes to would be handed over in one piece.
    for (const outcome of await Promise.allSettled(underWay)) {
      if (outcome.status === 'fulfilled') results.push(outcome.value);
      else failures.push(outcome.reason);
    }
    underWay = [];
  };
  const slice = new TimeSlice();
  for (const item of items) {
    const running = run(item);
    // The list may throw before anybody waits for it.
    running.then(undefined, () => undefined);
    underWay.push(running);
    if (!slice.isOver && !isFull()) continue;
    await settle();
    if (slice.isOver) await slice.next();
  }
  await settle();
  if (failures.length > 0) throw failures[0];
  return results;
}
