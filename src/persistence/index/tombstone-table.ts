/** The newest marker of each scope: what deletes entries without naming them. */

import type { Stamp } from '../../stamp.js';
import { keyOfWords, wordsOfKey, wordsOfWriter } from '../format/header-entries.js';
import { entryKind } from '../format/member-header.js';
import { clearAllKey } from '../format/tombstone.js';
import { isCovered, type MarkerWords, ScopedTombstones, stampOf } from './scoped-tombstones.js';

/** How many tags, and how many methods, are told apart in memory at least, unless told otherwise. */
const defaultMaxScopes = 100_000;

/** The newest markers of all scopes. */
export class TombstoneTable {
  readonly #methods: ScopedTombstones;
  readonly #tags: ScopedTombstones;
  #clearAll: Stamp | undefined;

  constructor({ maxScopes = defaultMaxScopes }: { readonly maxScopes?: number } = {}) {
    this.#methods = new ScopedTombstones(maxScopes);
    this.#tags = new ScopedTombstones(maxScopes);
  }

  /** Whether any tag was ever invalidated. */
  get hasTags(): boolean {
    return this.#tags.hasAny;
  }

  /** Whether a method, or all, was ever cleared. */
  get hasClears(): boolean {
    return this.#methods.hasAny || this.#clearAll !== undefined;
  }

  /** Takes a marker in, and tells whether it is newer than those known. Kinds that are none are ignored. */
  add(kind: number, key: string, { time, writer }: Stamp): boolean {
    const words = wordsOfKey(key, new Uint32Array(4));
    const writerWords = wordsOfWriter(writer, new Uint32Array(2));
    return this.addWords(kind, { words, at: 0, time, writerWords, writerAt: 0 });
  }

  /** The same for a marker as headers hold it: a million may come at once. */
  addWords(kind: number, marker: MarkerWords): boolean {
    switch (kind) {
      case entryKind.clearMethod:
        return this.#methods.add(marker);
      case entryKind.clearAll: {
        // One flipped byte makes any entry's kind a 4: without the key that goes with it, it clears nothing.
        if (keyOfWords(marker.words, marker.at) !== clearAllKey) return false;
        const stamp = stampOf(marker);
        if (isCovered(stamp, this.#clearAll)) return false;
        this.#clearAll = stamp;
        return true;
      }
      case entryKind.invalidateTag:
        return this.#tags.add(marker);
      default:
        return false;
    }
  }

  /** Whether a marker of the method, or of all, is newer than the stamp. */
  isCleared(methodHash: string | undefined, stamp: Stamp): boolean {
    if (isCovered(stamp, this.#clearAll)) return true;
    return methodHash !== undefined && this.#methods.covers(methodHash, stamp);
  }

  /** Whether a tag was invalidated later than the stamp. Tags are told as headers carry them. */
  isTagInvalid(tagHash: string, stamp: Stamp): boolean {
    return this.#tags.covers(tagHash, stamp);
  }

  /**
   * Whether a marker is there that makes this one superfluous. One that covers what were too many is in no file, and may
   * not be there the next time: it makes none superfluous.
   */
  isKnown(kind: number, key: string, stamp: Stamp): boolean {
    if (kind === entryKind.invalidateTag) return isCovered(stamp, this.#tags.find(key));
    return isCovered(stamp, this.#clearAll) || isCovered(stamp, this.#methods.find(key));
  }
}
