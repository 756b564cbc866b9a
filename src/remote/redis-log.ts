/** The log of changes: places in it, and what its entries say. */

import type { Stamp } from '../stamp.js';
import type { RemoteChange } from '../tier.js';

/** What a marker says was changed. */
export function changeOf(marker: string, stamp: Stamp): RemoteChange {
  const name = marker.slice(1);
  if (marker.startsWith('t')) return { kind: 'tag', tag: name, stamp };
  return { kind: 'method', method: marker === 'a' ? undefined : name, stamp };
}

/** Negative where the one place is before the other: milliseconds and a number. */
export function compareIds(a: string, b: string): number {
  const [[aMs = 0, aSeq = 0], [bMs = 0, bSeq = 0]] = [a.split('-').map(Number), b.split('-').map(Number)];
  return aMs - bMs || aSeq - bSeq;
}
