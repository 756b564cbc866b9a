/**
 * Whether a history of one key is linearizable: whether its operations can be put in one order that each thread's clock
 * agrees with and in which each `get` finds what was set last. A `get` that finds nothing is always right in a cache, and no
 * part of a history.
 *
 * Jeannette Wing, Chun Gong: Testing and Verifying Concurrent Objects, Journal of Parallel and Distributed Computing 17,
 * 1993; with the memory of visited states of Gavin Lowe: Testing for Linearizability, 2017.
 */

/** An operation between two events of one order that all threads share. */
export interface Operation {
  readonly kind: 'set' | 'delete' | 'get';
  /** What was set or found; 0 for a deletion. */
  readonly value: number;
  readonly began: number;
  readonly ended: number;
}

export function isLinearizable(history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.began - b.began);
  const visited = new Set<string>();
  const search = (done: ReadonlySet<number>, held: number): boolean => {
    if (done.size === operations.length) return true;
    const state = `${[...done].sort((a, b) => a - b).join()}:${held}`;
    if (visited.has(state)) return false;
    visited.add(state);
    const left = [...operations.entries()].filter(([place]) => !done.has(place));
    // What ended before another began comes before it.
    const firstEnd = Math.min(...left.map(([, { ended }]) => ended));
    return left.some(([place, { kind, value, began }]) => {
      if (began > firstEnd || (kind === 'get' && value !== held)) return false;
      return search(new Set([...done, place]), kind === 'get' ? held : value);
    });
  };
  return search(new Set(), 0);
}
