/** Looking up many calls of one method: what memory does not have is looked for together. */

import { TimeSlice } from '../next-turn.js';
import { type MethodLookups, valueIn } from './lookup.js';

/** So many keys are looked for at once. */
const mostAtOnce = 1_000;

/**
 * The value of each call, in their order, or `undefined`. Others run meanwhile. Whatever fails, all are looked up.
 * @throws what one of them has failed with
 */
export async function getMany<T>(
  lookups: MethodLookups,
  calls: readonly unknown[],
  keyOf: (params: unknown) => string,
): Promise<(T | undefined)[]> {
  const values: (T | undefined)[] = [];
  const failures: unknown[] = [];
  let keys: string[] = [];
  let places: number[] = [];
  const slice = new TimeSlice();
  for (const [at, params] of calls.entries()) {
    values.push(undefined);
    try {
      const key = keyOf(params);
      const held = lookups.inMemory<T>(key);
      if (held !== undefined) values[at] = valueIn(held);
      else places[keys.push(key) - 1] = at;
    } catch (error) {
      failures.push(error);
    }
    if (slice.isOver) await slice.next();
    const isLast = at === calls.length - 1;
    if (keys.length === 0 || (!isLast && keys.length < mostAtOnce)) continue;
    const found = await lookups.manyBelow<T>(keys);
    for (const [which, lookup] of found.entries()) values[places[which]!] = valueIn(lookup);
    [keys, places] = [[], []];
  }
  if (failures.length > 0) throw failures[0];
  return values;
}
