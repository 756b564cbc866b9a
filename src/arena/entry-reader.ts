/** Reading entries out of an arena, while other threads may be changing them. */

import { entryBytes, MemoryEntry } from '../store/memory-entry.js';
import type { ValueCodec } from '../value/codec.js';
import { binaryOverhead, stringBytes } from '../value/heap-size.js';
import { storeBytes } from '../value/keeper.js';
import { largeValueBytes } from '../value/large-value.js';
import { ShortStrings } from '../value/msgpack/short-strings.js';
import { type Extras, flag, places } from './entry-bytes.js';
import { entry as head, roundUp, type StripeMemory } from './layout.js';
import type { EntryTaker } from './stripe.js';

/** What entries are read with. */
export interface EntryContext {
  readonly codec: ValueCodec;
  /** What stamps that are read carry as their writer. */
  readonly writer: string;
  /** What all threads' monotonic clocks are ahead of this one's `Clock.elapsed()`, in ms. */
  readonly clockOffset: number;
}

/** Bytes of memory that the values of several reads share: to allocate some for each takes longer than to copy it. */
const slabBytes = 2 ** 15;

const nothing = new Uint8Array(0);

/** Takes an entry out of the arena first, and makes it an entry of this thread's once it is known to be whole. */
export class EntryReader implements EntryTaker {
  readonly #context: EntryContext;
  readonly #methods = new ShortStrings();
  #stamp = 0;
  #expiresAt = 0;
  #createdAt = 0;
  #createdElapsed = 0;
  #lastAccess = 0;
  #staleAt = 0;
  #validUntil = 0;
  #loadMs = 0;
  #flags = 0;
  #method = '';
  #extras: Uint8Array = nothing;
  #value: string | Uint8Array = nothing;
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #slabUsed = 0;

  constructor(context: EntryContext) {
    this.#context = context;
  }

  take({ ring, ringNumbers, bytes }: StripeMemory, place: number): boolean {
    const first = place * 4;
    const flags = ring[place + head.flags]!;
    const size = ring[place + head.bytes]!;
    let at = (place >> 1) + places.optional;
    const { createdAt, createdElapsed } = places;
    this.#stamp = ringNumbers[(place + head.stamp) >> 1]!;
    this.#expiresAt = ringNumbers[(place + head.expiresAt) >> 1]!;
    this.#createdAt = ringNumbers[(place >> 1) + createdAt]!;
    this.#createdElapsed = ringNumbers[(place >> 1) + createdElapsed]!;
    this.#lastAccess = (flags & flag.lastAccess) === 0 ? this.#createdAt : ringNumbers[at++]!;
    this.#staleAt = (flags & flag.staleAt) === 0 ? Number.POSITIVE_INFINITY : ringNumbers[at++]!;
    this.#validUntil = (flags & flag.validUntil) === 0 ? this.#expiresAt : ringNumbers[at++]!;
    this.#loadMs = (flags & flag.loadMs) === 0 ? 0 : ringNumbers[at++]!;
    const extrasBytes = (flags & flag.extras) === 0 ? 0 : ringNumbers[at++]!;
    const valueStart = at * 8;
    const end = first + size;
    const methodStart = end - (flags >>> 16);
    const valueEnd = methodStart - extrasBytes;
    const hasSense =
      roundUp(size, 8) / 4 === ring[place] &&
      Number.isInteger(valueEnd) &&
      valueStart <= valueEnd &&
      valueEnd <= methodStart &&
      end <= bytes.length;
    if (!hasSense) return false;
    this.#flags = flags;
    this.#method =
      this.#methods.read(bytes, methodStart, end - methodStart) ?? bytes.toString('utf8', methodStart, end);
    this.#extras = extrasBytes === 0 ? nothing : this.#copy(bytes, valueEnd, methodStart);
    this.#value =
      (flags & flag.text) === 0
        ? this.#copy(bytes, valueStart, valueEnd)
        : bytes.toString('latin1', valueStart, valueEnd);
    return true;
  }

  /** The entry that was taken. */
  entry(key: string): MemoryEntry {
    const { codec, writer, clockOffset } = this.#context;
    const value = this.#value;
    const extras: Extras = this.#extras.length === 0 ? {} : (codec.decode(this.#extras) as Extras);
    const { tags, origin, cost, idleMs } = extras;
    const valueBytes = typeof value === 'string' ? stringBytes(value) : binaryOverhead + value.byteLength;
    return new MemoryEntry({
      key,
      method: this.#method,
      // Small values need no wrapping: a keeper of copies decodes them as they are.
      stored:
        typeof value === 'string' || value.byteLength < largeValueBytes
          ? value
          : storeBytes(value, codec).stored,
      bytes: entryBytes(valueBytes, tags, origin),
      stamp: { time: this.#stamp, writer },
      createdAt: this.#createdAt,
      staleAt: finite(this.#staleAt),
      expiresAt: finite(this.#expiresAt),
      validUntil: finite(this.#validUntil),
      loadMs: this.#loadMs,
      lastAccess: this.#lastAccess,
      createdElapsed: Number.isNaN(this.#createdElapsed) ? undefined : this.#createdElapsed - clockOffset,
      isNegative: (this.#flags & flag.negative) !== 0,
      hasOwnTtl: (this.#flags & flag.ownTtl) !== 0,
      tags,
      origin,
      cost,
      idleMs,
    });
  }

  #copy(bytes: Buffer, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size > slabBytes / 4) {
      const own = new Uint8Array(size);
      own.set(bytes.subarray(start, end));
      return own;
    }
    if (this.#slabUsed + size > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#slabUsed = 0;
    }
    const copy = new Uint8Array(this.#slab.buffer, this.#slabUsed, size);
    this.#slabUsed += roundUp(size, 8);
    copy.set(bytes.subarray(start, end));
    return copy;
  }
}

function finite(time: number): number | null {
  return time === Number.POSITIVE_INFINITY ? null : time;
}
