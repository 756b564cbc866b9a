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

export async function usedBytes(): Promise<UsedBytes> {
  await nextTurn();
  return usedBytesNow();
}

/** The same in the middle of what runs. */
export function usedBytesNow(): UsedBytes {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, all: heapUsed + external };
}
