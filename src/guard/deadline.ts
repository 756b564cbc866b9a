/** A deadline: somebody waits only so long, whatever becomes of what they waited for. */

import type { Clock, TimerOptions } from '../clock.js';
import { onNextTurn } from '../next-turn.js';

/** A deadline that has not passed yet. */
export interface Deadline {
  cancel(): void;
  /** From now on it keeps no process alive. */
  unref(): void;
}

/**
 * Calls `expire` once `ms` have passed, unless it is cancelled before.
 *
 * An expired deadline first grants one turn of the event loop: if this process itself was stalled, the answer may lie
 * unread.
 */
export function startDeadline({
  ms,
  clock,
  expire,
  holdsProcess = false,
}: TimerOptions & { readonly ms: number; readonly clock: Clock; readonly expire: () => void }): Deadline {
  let callOff: (() => void) | undefined;
  const passed = () => {
    callOff = onNextTurn(expire);
  };
  const timer = clock.schedule(passed, ms, { holdsProcess });
  return {
    cancel() {
      timer.cancel();
      callOff?.();
    },
    unref: () => timer.unref?.(),
  };
}

/**
 * Settles as `promise` does, or, once `ms` have passed, as `onTimeout` returns or throws. The process is held meanwhile.
 *
 * What was waited for goes on and is not aborted; its late result or error is no longer heard here.
 *
 * @example
 * await withDeadline(load, { ms: 500, clock, onTimeout: () => staleValue });
 */
export function withDeadline<T, Late = T>(
  promise: PromiseLike<T>,
  { ms, clock, onTimeout }: { readonly ms: number; readonly clock: Clock; readonly onTimeout: () => Late },
): Promise<T | Awaited<Late>> {
  return new Promise<T | Awaited<Late>>((resolve, reject) => {
    const expire = () => {
      try {
        resolve(onTimeout() as Awaited<Late>);
      } catch (error) {
        reject(error);
      }
    };
    const deadline = startDeadline({ ms, clock, expire, holdsProcess: true });
    promise.then(
      (value) => {
        deadline.cancel();
        resolve(value);
      },
      (error: unknown) => {
        deadline.cancel();
        reject(error);
      },
    );
  });
}
