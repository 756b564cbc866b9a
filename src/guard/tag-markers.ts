/**
 * Tag markers: which entries a tag's invalidation has made void, told by comparing stamps.
 *
 * Invalidating a tag costs the same however many entries carry it, and holds for entries that were asleep on a disk
 * or elsewhere at the time, because it is asked when an entry is read and not when the tag is invalidated.
 */

import { Heap, type HeapNode } from '../heap.js';
import { compareStamps, type Stamp } from '../stamp.js';

/** How many markers are kept unless told otherwise. */
export const defaultMaxMarkers = 100_000;

/** What one set of markers knows, for another one or for storage. */
export interface TagMarkerSource {
  /** All tagged entries up to this stamp are invalid, whatever their tags. */
  readonly watermark: Stamp | undefined;
  /** Tags, each with the stamp of its newest invalidation. */
  entries(): Iterable<readonly [tag: string, stamp: Stamp]>;
}

interface Marker extends HeapNode {
  readonly tag: string;
  stamp: Stamp;
}

/**
 * The newest invalidation of each tag, bounded in number.
 *
 * When there are too many, the oldest markers are folded into a watermark: every tagged entry that is not newer than
 * it counts as invalid. Too much is then loaded anew, but no entry that was invalidated ever comes back.
 *
 * Works as well for clearing methods, each method being a tag of its entries; use an instance of its own for that,
 * since a watermark concerns every entry that has any tag.
 *
 * @example
 * markers.mark('user:7', stamps.next());
 * markers.isInvalid(entry.tags, entry.stamp);
 */
export class TagMarkers implements TagMarkerSource {
  readonly #maxMarkers: number;
  readonly #byTag = new Map<string, Marker>();
  readonly #oldestFirst = new Heap<Marker>((a, b) => compareStamps(a.stamp, b.stamp) < 0);
  #watermark: Stamp | undefined;

  constructor({ maxMarkers = defaultMaxMarkers }: { readonly maxMarkers?: number } = {}) {
    this.#maxMarkers = maxMarkers;
  }

  /** Markers kept. Never above `maxMarkers`. */
  get size(): number {
    return this.#byTag.size;
  }

  get watermark(): Stamp | undefined {
    return this.#watermark;
  }

  /** Makes every entry of this tag invalid whose stamp is not newer. O(log markers). */
  mark(tag: string, stamp: Stamp): void {
    if (this.#isBelowWatermark(stamp)) return;
    const known = this.#byTag.get(tag);
    if (known === undefined) {
      const marker: Marker = { tag, stamp, heapIndex: -1 };
      this.#byTag.set(tag, marker);
      this.#oldestFirst.push(marker);
    } else if (compareStamps(stamp, known.stamp) > 0) {
      known.stamp = stamp;
      this.#oldestFirst.settle(known);
    }
    if (this.#byTag.size > this.#maxMarkers) this.raiseWatermark(this.#oldestFirst.first!.stamp);
  }

  /**
   * Whether an entry is invalid. O(its tags).
   *
   * @param stamp of the moment the value's load *began*: a tag invalidated during a load concerns its result too
   */
  isInvalid(tags: readonly string[] | undefined, stamp: Stamp): boolean {
    if (tags === undefined || tags.length === 0) return false;
    if (this.#isBelowWatermark(stamp)) return true;
    for (const tag of tags) {
      const marker = this.#byTag.get(tag);
      if (marker !== undefined && compareStamps(stamp, marker.stamp) <= 0) return true;
    }
    return false;
  }

  /** Makes all tagged entries up to this stamp invalid, and drops the markers that say no more than that. */
  raiseWatermark(stamp: Stamp): void {
    if (this.#isBelowWatermark(stamp)) return;
    this.#watermark = stamp;
    for (let oldest = this.#oldestFirst.first; oldest; oldest = this.#oldestFirst.first) {
      if (!this.#isBelowWatermark(oldest.stamp)) break;
      this.#oldestFirst.remove(oldest);
      this.#byTag.delete(oldest.tag);
    }
  }

  /** Takes over what another set of markers knows. In any order, any number of times, the outcome is the same. */
  merge(other: TagMarkerSource): void {
    if (other.watermark !== undefined) this.raiseWatermark(other.watermark);
    for (const [tag, stamp] of other.entries()) this.mark(tag, stamp);
  }

  *entries(): IterableIterator<readonly [tag: string, stamp: Stamp]> {
    for (const { tag, stamp } of this.#byTag.values()) yield [tag, stamp];
  }

  #isBelowWatermark(stamp: Stamp): boolean {
    return this.#watermark !== undefined && compareStamps(stamp, this.#watermark) <= 0;
  }
}
