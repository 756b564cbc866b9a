/** Where time comes from, so that tests can move it. */

import { AsyncResource } from 'node:async_hooks';

/** A timer that can be called off. */
export interface Timer {
  /** Calls it off; afterwards and twice it does nothing. */
  cancel(): void;
  /** From now on the timer keeps no process alive. Clocks of which no timer does can go without. */
  unref?(): void;
}

/** How a timer is set. */
export interface TimerOptions {
  /**
   * Somebody waits for it: the process does not end before it. Else it is a background timer, which also keeps no
   * `AsyncLocalStorage` context alive.
   *
   * @default false
   */
  readonly holdsProcess?: boolean | undefined;
}

/** Wall time, elapsed time and timers in one injectable place. */
export interface Clock {
  /** Wall time in epoch milliseconds. May jump when the machine's clock is set. */
  now(): number;
  /** Elapsed milliseconds since some fixed moment, with fractions. Never jumps back. */
  elapsed(): number;
  /** Runs `callback` once, `delayMs` from now. The timer keeps no process alive unless `holdsProcess` says so. */
  schedule(callback: () => void, delayMs: number, options?: TimerOptions): Timer;
}

/** The longest delay a Node timer takes; longer ones fire at once. */
const longestDelay = 2 ** 31 - 1;

/** The context in which this module was loaded: no call's own. */
const outside = new AsyncResource('ToolstashBackground');

/**
 * Runs `task` outside of any call's `AsyncLocalStorage` context: a timer that is set in a context keeps that alive, and
 * so does the timer which that one sets.
 */
export function inBackground<R>(task: () => R): R {
  return outside.runInAsyncScope(task);
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  schedule(callback, delayMs, { holdsProcess = false } = {}) {
    const start = () => setTimeout(callback, Math.min(delayMs, longestDelay));
    const timer = holdsProcess ? start() : inBackground(start);
    // Under jsdom and in Electron's windows timers are numbers.
    const unref = () => void (timer as Partial<NodeJS.Timeout>).unref?.();
    if (!holdsProcess) unref();
    return { cancel: () => clearTimeout(timer), unref };
  },
};
