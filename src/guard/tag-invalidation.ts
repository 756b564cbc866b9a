/**
 * Tag markers: which entries a tag's invalidation has made void, told by comparing stamps.
 *
 * Invalidating a tag costs the same however many entries carry it, and holds for entries that were asleep on a disk
 * or elsewhere at the time, because it is asked when an entry is read and not when the tag is invalidated.
 */

import { Heap, type HeapNode } from '../heap.js';
import { compareStamps, type Stamp, type StampClock } from '../stamp.js';
import { ownString } from '../value/own-string.js';

/** How many markers are kept unless told otherwise. */
export const defaultMaxMarkers = 100_000;

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
export class TagMarkers {
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

  /** All tagged entries up to this stamp are invalid, whatever their tags. */
  get watermark(): Stamp | undefined {
    return this.#watermark;
  }

  /** Whether nothing is invalid. */
  get isEmpty(): boolean {
    return this.#byTag.size === 0 && this.#watermark === undefined;
  }

  /** Makes every entry of this tag invalid whose stamp is not newer. O(log markers). */
  mark(tag: string, stamp: Stamp): void {
    if (this.#isBelowWatermark(stamp)) return;
    const known = this.#byTag.get(tag);
    if (known === undefined) {
      const marker: Marker = { tag: ownString(tag), stamp, heapIndex: -1 };
      this.#byTag.set(marker.tag, marker);
      this.#oldestFirst.push(marker);
    } else if (compareStamps(stamp, known.stamp) > 0) {
      known.stamp = stamp;
      this.#oldestFirst.settle(known);
    }
    if (this.#byTag.size > this.#maxMarkers) this.#raiseWatermark(this.#oldestFirst.first!.stamp);
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
  #raiseWatermark(stamp: Stamp): void {
    this.#watermark = stamp;
    for (let oldest = this.#oldestFirst.first; oldest; oldest = this.#oldestFirst.first) {
      if (!this.#isBelowWatermark(oldest.stamp)) break;
      this.#oldestFirst.remove(oldest);
      this.#byTag.delete(oldest.tag);
    }
  }

  #isBelowWatermark(stamp: Stamp): boolean {
    return this.#watermark !== undefined && compareStamps(stamp, this.#watermark) <= 0;
  }
}

/** What may be tagged: an entry, or anything else that knows when it came to be. */
export interface Tagged {
  /** `undefined`: not known yet, it could be any. */
  readonly tags?: readonly string[] | undefined;
  /** Of the moment the value's load began: what was invalidated during a load concerns its result too. */
  readonly stamp: Stamp;
}

/** One cache's invalidations. */
export class TagInvalidations {
  readonly #stamps: StampClock;
  #markers = new TagMarkers();
  #newest: Stamp | undefined;

  constructor(stamps: StampClock) {
    this.#stamps = stamps;
  }

  /** Invalidates tags as of now, whatever carries them, and returns the stamp of it. */
  invalidate(tags: readonly string[]): Stamp {
    const stamp = this.#stamps.next();
    for (const tag of tags) this.#markers.mark(tag, stamp);
    this.#newest = stamp;
    return stamp;
  }

  /** Takes note that another machine has invalidated a tag. */
  hear(told: string, stamp: Stamp): void {
    this.#markers.mark(told, stamp);
    if (this.#newest === undefined || compareStamps(this.#newest, stamp) < 0) this.#newest = stamp;
  }

  /** Forgets all of it, where nothing is left that was stamped before. */
  reset(): void {
    this.#markers = new TagMarkers();
    this.#newest = undefined;
  }

  /** Whether one of an entry's tags was invalidated since. */
  isInvalid({ tags, stamp }: Tagged): boolean {
    return tags !== undefined && this.#markers.isInvalid(tags, stamp);
  }

  /** Whether anything was invalidated that may have to do with this. */
  mayBeInvalidated({ tags, stamp }: Tagged): boolean {
    if (tags !== undefined) return this.#markers.isInvalid(tags, stamp);
    return this.#newest !== undefined && compareStamps(stamp, this.#newest) <= 0;
  }
}
