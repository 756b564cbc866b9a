/** What the process holds in memory once garbage is collected. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of the objects on the heap, and of all memory that is held. */
export interface UsedBytes {
  readonly heap: number;
  readonly all: number;
}

/**
 * Once it falls no more: threads of their own (of a compiler, of array buffers) release memory some time after the
 * collection. What else runs in the process can still make a test of these figures fail: give it `measured`.
 */
export async function usedBytes(): Promise<UsedBytes> {
  for (let least = Number.POSITIVE_INFINITY, steady = 0; ; ) {
    // What a WeakRef has pointed to in this turn of the event loop is not collected before the next.
    await nextTurn();
    const used = usedBytesNow();
    steady = used.all < least * 0.999 ? 0 : steady + 1;
    least = Math.min(least, used.all);
    if (steady === 3) return used;
  }
}

/** For a test that compares figures of the whole process: what others have left in it may move while it measures. */
export const measured = { retry: 3 };

/** The same in the middle of what runs. */
export function usedBytesNow(): UsedBytes {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, all: heapUsed + external };
}
