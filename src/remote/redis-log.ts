/** The log of changes: places in it, and what its entries say. */

import type { Stamp } from '../stamp.js';
import type { RemoteChange } from '../tier.js';

/** How far a machine has followed the log. */
export interface Cursor {
  readonly epoch: string;
  readonly id: string;
  /** The server's run, where it is known. */
  readonly run: string;
}

/** How far what lies on disk is known, for the process that goes on with it. */
export interface Progress extends Cursor {
  /** The newest place of a change of its own that the server has acknowledged: it may lie beyond, '' where there is none. */
  readonly acknowledged?: string;
  /** What has a stamp up to this may have been changed without that process having heard of it, in microseconds. */
  readonly doubtfulUpTo: number;
}

/** What earlier processes of a folder have left. */
export interface Left {
  /** By the tag of each part, where it is clear. */
  readonly progress: Readonly<Record<string, Progress>>;
  /** Whether others have written to the folder, or do so now. */
  readonly hasOthers: boolean;
}

/** What a marker says was changed: everything, where another release says what this one does not know. */
export function changeOf(marker: string, stamp: Stamp): RemoteChange {
  const name = marker.slice(1);
  if (marker.startsWith('t')) return { kind: 'tag', tag: name, stamp };
  return { kind: 'method', method: marker.startsWith('m') ? name : undefined, stamp };
}

/** Negative where the one place is before the other: milliseconds and a number. */
export function compareIds(a: string, b: string): number {
  const [[aMs = 0, aSeq = 0], [bMs = 0, bSeq = 0]] = [a.split('-').map(Number), b.split('-').map(Number)];
  return aMs - bMs || aSeq - bSeq;
}
