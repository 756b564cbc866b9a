/** A deadline: somebody waits only so long, whatever becomes of what they waited for. */

import type { Clock } from '../clock.js';

/**
 * Settles as `promise` does, or, once `ms` have passed, as `onTimeout` returns or throws.
 *
 * What was waited for goes on and is not aborted; its late result or error is no longer heard here. An expired
 * deadline first grants one turn of the event loop: if this process itself was stalled, the answer may lie unread.
 *
 * @example
 * await withDeadline(load, { ms: 500, clock, onTimeout: () => staleValue });
 */
export function withDeadline<T, Late = T>(
  promise: PromiseLike<T>,
  { ms, clock, onTimeout }: { readonly ms: number; readonly clock: Clock; readonly onTimeout: () => Late },
): Promise<T | Awaited<Late>> {
  return new Promise<T | Awaited<Late>>((resolve, reject) => {
    let lastTurn: NodeJS.Immediate | undefined;
    const expire = () => {
      try {
        resolve(onTimeout() as Awaited<Late>);
      } catch (error) {
        reject(error);
      }
    };
    const timer = clock.schedule(() => {
      lastTurn = setImmediate(expire);
    }, ms);
    const callOff = () => {
      timer.cancel();
      if (lastTurn !== undefined) clearImmediate(lastTurn);
    };
    promise.then(
      (value) => {
        callOff();
        resolve(value);
      },
      (error: unknown) => {
        callOff();
        reject(error);
      },
    );
  });
}
