/** How an entry of the memory tier lies in an arena: numbers, then the value, what few entries have, the method. */

import type { KeyOrigin } from '../key/key-origin.js';
import type { ArenaWiring } from '../store/arena-options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { isLatin1 } from '../value/own-string.js';
import type { KeyWords } from './key-words.js';
import { entry as head, roundUp } from './layout.js';
import { Scratch } from './scratch.js';

/** Places of 64-bit numbers in an entry. */
export const places = {
  createdAt: head.payload / 2,
  /** By the clock that all threads share. */
  createdElapsed: head.payload / 2 + 1,
  /** The first of the numbers that only those entries have whose flags say so, in the order of the flags. Then comes the value. */
  optional: head.payload / 2 + 2,
} as const;

/** Flags of an entry; above them are the bytes of its method. */
export const flag = {
  negative: 1,
  ownTtl: 2,
  /** The value is Latin-1 text as it is, rather than msgpack. */
  text: 4,
  /** When it was read last, by the clock of the thread that did: kept of entries that slide alone. */
  lastAccess: 8,
  staleAt: 16,
  validUntil: 32,
  loadMs: 64,
  /** How many bytes the extras take. */
  extras: 128,
} as const;

/** The most numbers before a value. */
const mostNumbers = places.optional + 5;

const mostMethodBytes = 0x7fff;

/** What few entries have. */
export interface Extras {
  readonly idleMs?: number;
  readonly cost?: number;
  readonly tags?: readonly string[];
  readonly origin?: KeyOrigin;
}

/** Puts entries together, ready to be stored. */
export class EntryWriter {
  readonly scratch = new Scratch();
  readonly #wiring: Pick<ArenaWiring, 'codec' | 'keeper'>;
  readonly #mostWords: number;
  readonly #clockOffset: number;
  #method = '';
  #methodBytes = Buffer.alloc(0);

  /**
   * @param mostWords the most that an entry may take
   * @param clockOffset what all threads' monotonic clocks are ahead of this one's `Clock.elapsed()`, in ms
   */
  constructor(wiring: Pick<ArenaWiring, 'codec' | 'keeper'>, mostWords: number, clockOffset: number) {
    this.#wiring = wiring;
    this.#mostWords = mostWords;
    this.#clockOffset = clockOffset;
  }

  /** Tells whether the entry is no larger than it may be. It lies in the scratch memory then. */
  write(entry: MemoryEntry, key: KeyWords): boolean {
    const { stored } = entry;
    const value =
      typeof stored === 'string' && isLatin1(stored) ? stored : this.#wiring.keeper.toMsgpack(stored);
    const method = this.#encoded(entry.method);
    const extras = this.#extrasOf(entry);
    const mostBytes =
      mostNumbers * 8 +
      (typeof value === 'string' ? value.length : value.byteLength) +
      (extras?.byteLength ?? 0) +
      method.length;
    if (mostBytes / 4 > this.#mostWords || method.length > mostMethodBytes) return false;
    this.scratch.grow(mostBytes / 4 + 2);
    const { words: ints, numbers, bytes } = this.scratch;
    for (let word = 0; word < 4; word += 1) ints[head.key + word] = key[word]!;
    numbers[head.expiresAt / 2] = entry.expiresAt ?? Number.POSITIVE_INFINITY;
    numbers[head.stamp / 2] = entry.stamp.time;
    numbers[places.createdAt] = entry.createdAt;
    numbers[places.createdElapsed] =
      entry.createdElapsed === undefined ? Number.NaN : entry.createdElapsed + this.#clockOffset;
    let flags = (entry.isNegative ? flag.negative : 0) | (entry.hasOwnTtl ? flag.ownTtl : 0);
    let at: number = places.optional;
    if (entry.idleMs > 0 || entry.lastAccess !== entry.createdAt) {
      flags |= flag.lastAccess;
      numbers[at++] = entry.lastAccess;
    }
    if (entry.staleAt !== null) {
      flags |= flag.staleAt;
      numbers[at++] = entry.staleAt;
    }
    if (entry.validUntil !== entry.expiresAt) {
      flags |= flag.validUntil;
      numbers[at++] = entry.validUntil ?? Number.POSITIVE_INFINITY;
    }
    if (entry.loadMs !== 0) {
      flags |= flag.loadMs;
      numbers[at++] = entry.loadMs;
    }
    if (extras !== undefined) {
      flags |= flag.extras;
      numbers[at++] = extras.byteLength;
    }
    let end = at * 8;
    if (typeof value === 'string') {
      flags |= flag.text;
      end += bytes.write(value, end, 'latin1');
    } else {
      bytes.set(value, end);
      end += value.byteLength;
    }
    if (extras !== undefined) {
      bytes.set(extras, end);
      end += extras.byteLength;
    }
    bytes.set(method, end);
    end += method.length;
    ints[head.bytes] = end;
    ints[head.flags] = flags | (method.length << 16);
    ints[head.size] = roundUp(end, 8) / 4;
    return true;
  }

  #encoded(method: string): Buffer {
    if (method !== this.#method) {
      this.#method = method;
      this.#methodBytes = Buffer.from(method);
    }
    return this.#methodBytes;
  }

  #extrasOf({ tags, origin, cost, idleMs }: MemoryEntry): Uint8Array | undefined {
    if (tags === undefined && origin === undefined && cost === undefined && idleMs === 0) return undefined;
    return this.#wiring.codec.encode({
      ...(tags !== undefined && { tags }),
      ...(origin !== undefined && { origin }),
      ...(cost !== undefined && { cost }),
      ...(idleMs > 0 && { idleMs }),
    } satisfies Extras);
  }
}
