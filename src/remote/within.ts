/** Waiting for an answer that may never come. */

import { systemClock } from '../clock.js';
import { CacheError } from '../errors.js';

/** Settles as a promise does, or rejects when that takes too long. Keeps no process alive. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.schedule(
      () => reject(new CacheError('ERR_STORAGE', `No answer for ${ms} ms`)),
      ms,
    );
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** More than any attempt takes. */
const longestHoldMs = 60_000;

/** The same promise; the process does not end before it has settled, though our sockets keep none. */
export function held<T>(promise: Promise<T>): Promise<T> {
  const timer = systemClock.schedule(() => undefined, longestHoldMs, { holdsProcess: true });
  const cancel = () => timer.cancel();
  promise.then(cancel, cancel);
  return promise;
}
