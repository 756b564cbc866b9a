/** The newest marker of each scope: what deletes entries without naming them. */

import { Heap, type HeapNode } from '../heap.js';
import { compareStamps, type Stamp } from '../stamp.js';
import { entryKind } from './partition-codec.js';

/** The key of the marker that clears everything. */
export const noKey = '0'.repeat(32);

/** How many tags are told apart in memory, unless told otherwise. */
const defaultMaxTags = 100_000;

interface TagMarker extends HeapNode {
  readonly key: string;
  stamp: Stamp;
}

export class MarkerTable {
  readonly #maxTags: number;
  readonly #clears = new Map<string, Stamp>();
  #clearAll: Stamp | undefined;
  readonly #tags = new Map<string, TagMarker>();
  readonly #oldestFirst = new Heap<TagMarker>((a, b) => compareStamps(a.stamp, b.stamp) < 0);
  /** Of the tags that were too many: whatever carries a tag and is not newer counts as invalid. */
  #watermark: Stamp | undefined;

  constructor({ maxTags = defaultMaxTags }: { readonly maxTags?: number } = {}) {
    this.#maxTags = maxTags;
  }

  /** Whether any tag was ever invalidated. */
  get hasTags(): boolean {
    return this.#tags.size > 0 || this.#watermark !== undefined;
  }

  /** Whether a method, or all, was ever cleared. */
  get hasClears(): boolean {
    return this.#clears.size > 0 || this.#clearAll !== undefined;
  }

  /** Takes a marker in, and tells whether it is newer than those known. Kinds that are none are ignored. */
  add(kind: number, key: string, stamp: Stamp): boolean {
    switch (kind) {
      case entryKind.clearMethod:
        if (!isNewer(stamp, this.#clears.get(key))) return false;
        this.#clears.set(key, stamp);
        return true;
      case entryKind.clearAll:
        // One flipped byte makes any entry's kind a 4: without the key that goes with it, it clears nothing.
        if (key !== noKey || !isNewer(stamp, this.#clearAll)) return false;
        this.#clearAll = stamp;
        return true;
      case entryKind.invalidateTag:
        return this.#addTag(key, stamp);
      default:
        return false;
    }
  }

  /** Whether a marker of the method, or of all, is newer than the stamp. */
  isCleared(methodHash: string | undefined, stamp: Stamp): boolean {
    const clear = methodHash === undefined ? undefined : this.#clears.get(methodHash);
    return isCovered(stamp, clear) || isCovered(stamp, this.#clearAll);
  }

  /** Whether a tag was invalidated later than the stamp. Tags are told as headers carry them. */
  isTagInvalid(tagHash: string, stamp: Stamp): boolean {
    return isCovered(stamp, this.#watermark) || isCovered(stamp, this.#tags.get(tagHash)?.stamp);
  }

  /** Too many markers fold, the oldest first, into the watermark: too much is loaded anew, and nothing comes back. */
  #addTag(key: string, stamp: Stamp): boolean {
    if (isCovered(stamp, this.#watermark)) return false;
    const known = this.#tags.get(key);
    if (known === undefined) {
      const marker = { key, stamp, heapIndex: -1 };
      this.#tags.set(key, marker);
      this.#oldestFirst.push(marker);
    } else {
      if (!isNewer(stamp, known.stamp)) return false;
      known.stamp = stamp;
      this.#oldestFirst.settle(known);
    }
    while (this.#tags.size > this.#maxTags) {
      const oldest = this.#oldestFirst.first!;
      this.#watermark = oldest.stamp;
      this.#oldestFirst.remove(oldest);
      this.#tags.delete(oldest.key);
    }
    return true;
  }
}

/** A marker covers what is not newer than itself. */
function isCovered(stamp: Stamp, marker: Stamp | undefined): boolean {
  return marker !== undefined && compareStamps(stamp, marker) <= 0;
}

function isNewer(stamp: Stamp, known: Stamp | undefined): boolean {
  return known === undefined || compareStamps(stamp, known) > 0;
}
