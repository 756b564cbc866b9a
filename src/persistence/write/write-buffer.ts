/** What was taken in and is not written yet: the newest of each key, and the markers. */

import { compareStamps, type Stamp } from '../../stamp.js';
import type { TierRecord } from '../../tier.js';
import { addressOf, type RangeTombstone } from '../format/tombstone.js';
import { SegmentedMap } from './segmented-map.js';

/** A value or a deletion that waits. */
export type BufferedEntry =
  | {
      readonly kind: 'value';
      readonly key: string;
      readonly method: string;
      readonly record: TierRecord;
      readonly stamp: Stamp;
    }
  | { readonly kind: 'tombstone'; readonly key: string; readonly method: string; readonly stamp: Stamp };

const tombstoneBytes = 150;
const rangeTombstoneBytes = 100;
const entryOverhead = 300;

export class WriteBuffer {
  readonly entries = new SegmentedMap<BufferedEntry>();
  readonly tombstones = new Map<string, RangeTombstone>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.entries.size === 0 && this.tombstones.size === 0;
  }

  /** What they take in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many more bytes it would be with this entry, which takes the place of an older one. */
  growthBy(entry: BufferedEntry): number {
    const known = this.entries.get(entry.key);
    return bytesOf(entry) - (known === undefined ? 0 : bytesOf(known));
  }

  /** Takes an entry in, unless a newer one of its key is there. */
  put(entry: BufferedEntry): void {
    const known = this.entries.get(entry.key);
    if (known !== undefined) {
      if (compareStamps(known.stamp, entry.stamp) >= 0) return;
      this.#bytes -= bytesOf(known);
    }
    this.entries.set(entry.key, entry);
    this.#bytes += bytesOf(entry);
  }

  putTombstone(marker: RangeTombstone): void {
    const id = tombstoneId(addressOf(marker.scope));
    const known = this.tombstones.get(id);
    if (known === undefined) this.#bytes += rangeTombstoneBytes;
    else if (compareStamps(known.stamp, marker.stamp) >= 0) return;
    this.tombstones.set(id, marker);
  }

  /** Takes an entry out, if it is still the same. */
  acknowledge(key: string, stamp: Stamp): void {
    const known = this.entries.get(key);
    if (known === undefined || compareStamps(known.stamp, stamp) !== 0) return;
    this.entries.delete(key);
    this.#bytes -= bytesOf(known);
  }

  /** Takes a marker out, if it is still the same. Not told by its stamp alone: tags are invalidated many at once. */
  acknowledgeTombstone(marker: { readonly kind: number; readonly key: string; readonly stamp: Stamp }): void {
    const id = tombstoneId(marker);
    const known = this.tombstones.get(id);
    if (known === undefined || compareStamps(known.stamp, marker.stamp) !== 0) return;
    this.tombstones.delete(id);
    this.#bytes -= rangeTombstoneBytes;
  }

  /** The stamps of all that waits. */
  *stamps(): IterableIterator<Stamp> {
    for (const { stamp } of this.entries.values()) yield stamp;
    for (const { stamp } of this.tombstones.values()) yield stamp;
  }

  /** Makes all stamps newer by so many microseconds. */
  shiftStamps(by: number): void {
    const later = ({ time, writer }: Stamp): Stamp => ({ time: time + by, writer });
    for (const [key, entry] of this.entries) {
      const stamp = later(entry.stamp);
      if (entry.kind === 'tombstone') this.entries.set(key, { ...entry, stamp });
      else this.entries.set(key, { ...entry, stamp, record: { ...entry.record, stamp } });
    }
    for (const [id, marker] of this.tombstones)
      this.tombstones.set(id, { ...marker, stamp: later(marker.stamp) });
  }

  /** Takes in what another has left; what is newer here stays. */
  absorb(other: WriteBuffer): void {
    for (const entry of other.entries.values()) this.put(entry);
    for (const marker of other.tombstones.values()) this.putTombstone(marker);
  }
}

/** What an entry takes in memory, about. */
export function bytesOf(entry: BufferedEntry): number {
  if (entry.kind === 'tombstone') return tombstoneBytes;
  return entry.record.encoded.length + (entry.record.encodedParams?.length ?? 0) + entryOverhead;
}

function tombstoneId({ kind, key }: { readonly kind: number; readonly key: string }): string {
  return `${kind}:${key}`;
}
