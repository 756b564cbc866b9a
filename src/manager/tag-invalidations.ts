/** Which tags were invalidated when, and which entries and loads that concerns. */

import { TagMarkers } from '../guard/tag-markers.js';
import type { Stamp, StampClock } from '../stamp.js';
import { compareStamps } from '../stamp.js';

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
  readonly #markers = new TagMarkers();
  readonly #loads = new WeakMap<object, Tagged>();
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

  /** Whether one of an entry's tags was invalidated since. */
  isInvalid({ tags, stamp }: Tagged): boolean {
    return this.#markers.isInvalid(tags, stamp);
  }

  /** Whether anything was invalidated that may have to do with this. */
  isDoubtful({ tags, stamp }: Tagged): boolean {
    if (tags !== undefined) return this.#markers.isInvalid(tags, stamp);
    return this.#newest !== undefined && compareStamps(stamp, this.#newest) <= 0;
  }

  /** Notes what a load will answer with, as far as that is known. */
  note(load: object, answer: Tagged): void {
    this.#loads.set(load, answer);
  }

  /** Whether a load may answer with what was invalidated since: callers who arrive now must not join it. */
  isLoadDoubtful(load: object): boolean {
    const answer = this.#loads.get(load);
    return answer !== undefined && this.isDoubtful(answer);
  }
}
