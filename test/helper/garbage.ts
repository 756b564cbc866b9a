/** The garbage collector, on demand. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { settle } from './gate.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Whether a value is gone, or goes when garbage is collected. */
export async function isCollected(value: WeakRef<object>): Promise<boolean> {
  for (let round = 0; round < 10; round++) {
    // What was made or looked at in a turn of the event loop is alive until its end.
    await settle();
    collect();
    if (value.deref() === undefined) return true;
  }
  return false;
}
