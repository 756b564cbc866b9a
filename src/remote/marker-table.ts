/** Which methods were cleared and which tags invalidated, on every machine: values are checked against it when they are read. */

import { TagMarkers } from '../guard/tag-invalidation.js';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';

export class MarkerTable {
  /** The newest time of a marker, in microseconds. */
  newestTime = 0;
  readonly #maxMarkers: number;
  #methods: TagMarkers;
  #tags: TagMarkers;

  constructor(maxMarkers: number) {
    this.#maxMarkers = maxMarkers;
    this.#methods = new TagMarkers({ maxMarkers });
    this.#tags = new TagMarkers({ maxMarkers });
  }

  mark(marker: string, stamp: Stamp): void {
    this.newestTime = Math.max(this.newestTime, stamp.time);
    if (marker.startsWith('t')) this.#tags.mark(marker.slice(1), stamp);
    else this.#methods.mark(marker.startsWith('m') ? marker : 'a', stamp);
  }

  /** Forgets all of it, where nothing is left that was stamped before. */
  reset(): void {
    this.#methods = new TagMarkers({ maxMarkers: this.#maxMarkers });
    this.#tags = new TagMarkers({ maxMarkers: this.#maxMarkers });
  }

  /** Whether an entry's method was cleared since, or one of its tags invalidated. */
  covers({
    method,
    tags,
    stamp,
  }: Pick<TierRecord, 'method' | 'stamp'> & { tags?: readonly string[] | undefined }): boolean {
    const isCleared = !this.#methods.isEmpty && this.#methods.isInvalid(['a', `m${method}`], stamp);
    return isCleared || this.#tags.isInvalid(tags, stamp);
  }
}
