/** Values decoded once for all calls of a caller within the library, who never changes them. */

import type { MemoryEntry } from '../store/memory-entry.js';
import { SmallValue } from '../value/small-value.js';
import { SplitText } from '../value/split-text.js';

/** What is made of some msgpack takes about so many times its bytes, as objects, slots and strings of their own. */
const spread = 4;

/**
 * Copies by what memory holds of their values, with which they go. Their memory is not counted by the store, and so has
 * bounds of its own: where it reaches them all copies go, and are made again as they are asked for.
 */
export class SharedCopies {
  readonly #maxBytes: number;
  #copies = new WeakMap<object, { readonly value: unknown }>();
  #bytes = 0;

  /** @param maxBytes the most memory that copies take together, long texts aside, which they share with the store */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The copy of an entry's value. @throws what `decode` throws */
  of(entry: MemoryEntry, decode: () => unknown): unknown {
    const { stored } = entry;
    if (typeof stored !== 'object' || stored === null) return decode();
    const known = this.#copies.get(stored);
    if (known !== undefined) return known.value;
    const value = decode();
    // Many are asked for once and never again.
    if (entry.accessCount > 1) this.#hold(stored, value);
    return value;
  }

  #hold(stored: object, value: unknown): void {
    // Other forms are decoded in slices, or are no copies.
    const encoded = bytesOf(stored);
    if (encoded === undefined || encoded * spread > this.#maxBytes) return;
    this.#bytes += encoded * spread;
    if (this.#bytes > this.#maxBytes) {
      this.#copies = new WeakMap();
      this.#bytes = encoded * spread;
    }
    this.#copies.set(stored, { value });
  }
}

function bytesOf(stored: object): number | undefined {
  if (stored instanceof SmallValue) return stored.encoded.byteLength;
  if (stored instanceof SplitText) return stored.shellBytes;
  return stored instanceof Uint8Array ? stored.byteLength : undefined;
}
