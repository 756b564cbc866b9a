/** What was taken in and is not written yet: the newest of each key, and the markers. */

import { compareStamps, type Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { type MarkerScope, markerAddress } from './member-body.js';

/** A value or a deletion that waits. */
export type PendingEntry =
  | {
      readonly kind: 'value';
      readonly key: string;
      readonly method: string;
      readonly record: TierRecord;
      readonly stamp: Stamp;
    }
  | { readonly kind: 'deletion'; readonly key: string; readonly method: string; readonly stamp: Stamp };

/** A marker that waits. */
export interface PendingMarker {
  readonly scope: MarkerScope;
  readonly stamp: Stamp;
}

const deletionBytes = 150;
const markerBytes = 100;
const entryOverhead = 300;

export class PendingEntries {
  readonly entries = new Map<string, PendingEntry>();
  readonly markers = new Map<string, PendingMarker>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.entries.size === 0 && this.markers.size === 0;
  }

  /** What they take in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many more bytes it would be with this entry, which takes the place of an older one. */
  growthBy(entry: PendingEntry): number {
    const known = this.entries.get(entry.key);
    return bytesOf(entry) - (known === undefined ? 0 : bytesOf(known));
  }

  /** Takes an entry in, unless a newer one of its key is there. */
  put(entry: PendingEntry): void {
    const known = this.entries.get(entry.key);
    if (known !== undefined) {
      if (compareStamps(known.stamp, entry.stamp) >= 0) return;
      this.#bytes -= bytesOf(known);
    }
    this.entries.set(entry.key, entry);
    this.#bytes += bytesOf(entry);
  }

  mark(marker: PendingMarker): void {
    const id = markerId(markerAddress(marker.scope));
    const known = this.markers.get(id);
    if (known === undefined) this.#bytes += markerBytes;
    else if (compareStamps(known.stamp, marker.stamp) >= 0) return;
    this.markers.set(id, marker);
  }

  /** Takes an entry out, if it is still the same. */
  settle(key: string, stamp: Stamp): void {
    const known = this.entries.get(key);
    if (known === undefined || compareStamps(known.stamp, stamp) !== 0) return;
    this.entries.delete(key);
    this.#bytes -= bytesOf(known);
  }

  /** Takes a marker out, if it is still the same. Not told by its stamp alone: tags are invalidated many at once. */
  settleMarker(marker: { readonly kind: number; readonly key: string; readonly stamp: Stamp }): void {
    const id = markerId(marker);
    const known = this.markers.get(id);
    if (known === undefined || compareStamps(known.stamp, marker.stamp) !== 0) return;
    this.markers.delete(id);
    this.#bytes -= markerBytes;
  }

  /** The stamps of all that waits. */
  *stamps(): IterableIterator<Stamp> {
    for (const { stamp } of this.entries.values()) yield stamp;
    for (const { stamp } of this.markers.values()) yield stamp;
  }

  /** Makes all stamps newer by so many microseconds. */
  postdate(by: number): void {
    const later = ({ time, writer }: Stamp): Stamp => ({ time: time + by, writer });
    for (const [key, entry] of this.entries) {
      const stamp = later(entry.stamp);
      if (entry.kind === 'deletion') this.entries.set(key, { ...entry, stamp });
      else this.entries.set(key, { ...entry, stamp, record: { ...entry.record, stamp } });
    }
    for (const [id, marker] of this.markers) this.markers.set(id, { ...marker, stamp: later(marker.stamp) });
  }

  /** Takes in what another has left; what is newer here stays. */
  absorb(other: PendingEntries): void {
    for (const entry of other.entries.values()) this.put(entry);
    for (const marker of other.markers.values()) this.mark(marker);
  }
}

/** What an entry takes in memory, about. */
export function bytesOf(entry: PendingEntry): number {
  if (entry.kind === 'deletion') return deletionBytes;
  return entry.record.encoded.length + (entry.record.encodedParams?.length ?? 0) + entryOverhead;
}

function markerId({ kind, key }: { readonly kind: number; readonly key: string }): string {
  return `${kind}:${key}`;
}
