/** A Bloom filter of known keys, with a stated rate of errors on the harmless side. */

import { CacheError, InvalidArgumentError, InvalidOptionError } from '../errors.js';
import { nextTurn } from '../next-turn.js';
import { nodeCrypto } from '../node-crypto.js';
import { expected, integer, objectOf, refuseUnknown } from '../option-checks.js';
import { BloomBits, bloomShape, mostBits } from './bloom-bits.js';
import type { KnownKeys } from './known-keys.js';

/** How large the filter is, and how often it may be wrong. */
export interface BloomFilterOptions {
  /** How many keys it is to hold. */
  readonly capacity: number;
  /**
   * The share of unknown keys it may take for known ones while it holds no more: above 0, at most 0.5.
   *
   * @default 0.01
   */
  readonly falsePositiveRate?: number | undefined;
  /**
   * Called once when there are more keys than `capacity`; again only after a rebuild. It must not throw.
   *
   * @default a process warning
   */
  readonly onOverfull?: ((filter: BloomFilter) => void) | undefined;
}

export const defaultFalsePositiveRate = 0.01;
const optionNames: readonly string[] = ['capacity', 'falsePositiveRate', 'onOverfull'];

/** `TSBF`, version, hash count, capacity, rate, size, bit count, SHA-256 of all the rest; little-endian. */
const header = { magic: 0x46425354, version: 1, checksumAt: 40, bytes: 72 } as const;

/** A rebuild lets others run after so many keys. */
const keysPerTurn = 5000;

/**
 * A set of keys in about ten bits each (at 1 %). It forgets no key and takes a few unknown keys for known ones.
 *
 * @example
 * const known = new BloomFilter({ capacity: 1_000_000 });
 * known.add(key);
 * if (!known.mayHave(otherKey)) return null; // surely nothing there: no need to ask the source
 */
export class BloomFilter implements KnownKeys {
  readonly #falsePositiveRate: number;
  readonly #onOverfull: (filter: BloomFilter) => void;
  #content: Content;
  /** What a rebuild is filling. Keys that are added meanwhile go into both. */
  #nextContent: Content | undefined;
  #hasWarned = false;

  constructor(options: BloomFilterOptions) {
    refuseUnknown(objectOf(options, 'BloomFilter', 'an object of options'), optionNames, {
      of: 'BloomFilter',
    });
    const { capacity, falsePositiveRate = defaultFalsePositiveRate, onOverfull = warn } = options;
    if (!(falsePositiveRate > 0 && falsePositiveRate <= 0.5))
      throw expected('falsePositiveRate', 'above 0 and at most 0.5', falsePositiveRate);
    this.#falsePositiveRate = falsePositiveRate;
    this.#onOverfull = onOverfull;
    this.#content = emptyContent(capacity, falsePositiveRate);
  }

  /** Keys added; one that it took for a member before is not counted. After a merge an estimate. */
  get size(): number {
    return this.#content.size;
  }

  get capacity(): number {
    return this.#content.capacity;
  }

  /** The share of unknown keys it takes for known ones now: well below the asked rate until it is full, then above. */
  get falsePositiveRate(): number {
    return this.#content.bits.falsePositiveRate;
  }

  add(key: string): void {
    if (this.#nextContent !== undefined) put(this.#nextContent, key);
    put(this.#content, key);
    this.#warnIfOverfull();
  }

  mayHave(key: string): boolean {
    return this.#content.bits.has(key);
  }

  /** Adds all keys of a filter that was made with the same capacity and rate. */
  merge(other: BloomFilter): void {
    for (const content of [this.#content, this.#nextContent]) {
      if (content === undefined) continue;
      const { bits } = other.#content;
      if (bits.bitCount !== content.bits.bitCount || bits.hashCount !== content.bits.hashCount) {
        throw new InvalidArgumentError(
          `Expected a filter of the same capacity (${content.capacity}) and false-positive rate, ` +
            `got one of ${other.capacity}: make both alike, or rebuild one of them`,
        );
      }
    }
    for (const content of [this.#content, this.#nextContent]) {
      if (content === undefined) continue;
      content.bits.merge(other.#content.bits);
      const least = Math.max(content.size, other.size);
      content.size = Math.min(content.size + other.size, Math.max(least, content.bits.estimatedSize));
    }
    this.#warnIfOverfull();
  }

  /**
   * Replaces the content by these keys and those added in the meantime; until then it answers from the old content.
   * If reading the keys fails, the old content stays. A rebuild begun later takes the place of one under way.
   */
  async rebuild(
    keys: Iterable<string> | AsyncIterable<string>,
    { capacity = this.capacity }: { readonly capacity?: number } = {},
  ): Promise<void> {
    const next = emptyContent(capacity, this.#falsePositiveRate);
    this.#nextContent = next;
    try {
      let count = 0;
      for await (const key of keys) {
        put(next, key);
        if (++count % keysPerTurn === 0) await nextTurn();
        if (this.#nextContent !== next) return;
      }
      if (this.#nextContent !== next) return;
      this.#content = next;
      this.#hasWarned = false;
    } finally {
      if (this.#nextContent === next) this.#nextContent = undefined;
    }
    this.#warnIfOverfull();
  }

  /** The whole filter as bytes with a version and a checksum, for `fromBytes`. */
  toBytes(): Uint8Array {
    const { capacity, size, bits } = this.#content;
    const bytes = new Uint8Array(header.bytes + bits.words.length * 4);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, header.magic, true);
    view.setUint16(4, header.version, true);
    view.setUint16(6, bits.hashCount, true);
    view.setFloat64(8, capacity, true);
    view.setFloat64(16, this.#falsePositiveRate, true);
    view.setFloat64(24, size, true);
    view.setFloat64(32, bits.bitCount, true);
    bits.words.forEach((word, index) => {
      view.setUint32(header.bytes + index * 4, word, true);
    });
    bytes.set(checksumOf(bytes), header.checksumAt);
    return bytes;
  }

  /**
   * The filter that `toBytes` wrote.
   *
   * @throws CacheError `ERR_UNREADABLE_VALUE` on anything else: a damaged filter would deny keys that exist
   */
  static fromBytes(bytes: Uint8Array, options: Pick<BloomFilterOptions, 'onOverfull'> = {}): BloomFilter {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < header.bytes || view.getUint32(0, true) !== header.magic) {
      throw unreadable('is no Bloom filter');
    }
    const version = view.getUint16(4, true);
    if (version !== header.version) throw unreadable(`has the unknown version ${version}`);
    const checksum = bytes.subarray(header.checksumAt, header.bytes);
    if (!checksumOf(bytes).equals(checksum)) throw unreadable('is damaged');
    const capacity = view.getFloat64(8, true);
    const falsePositiveRate = view.getFloat64(16, true);
    const size = view.getFloat64(24, true);
    const shape = { bitCount: view.getFloat64(32, true), hashCount: view.getUint16(6, true) };
    if (!isShapeOf(shape, bytes.length - header.bytes) || !isCount(capacity) || !isCount(size + 1)) {
      throw unreadable('contradicts itself');
    }
    const words = new Uint32Array((bytes.length - header.bytes) / 4);
    for (let index = 0; index < words.length; index++) {
      words[index] = view.getUint32(header.bytes + index * 4, true);
    }
    // The smallest one, whose content is replaced at once.
    const filter = new BloomFilter({ ...options, capacity: 1, falsePositiveRate });
    filter.#content = { capacity, size, bits: new BloomBits(shape, words) };
    filter.#warnIfOverfull();
    return filter;
  }

  #warnIfOverfull(): void {
    if (this.#hasWarned || this.size <= this.capacity) return;
    this.#hasWarned = true;
    this.#onOverfull(this);
  }
}

function warn({ size, capacity }: BloomFilter): void {
  process.emitWarning(
    `A BloomFilter made for ${capacity} keys holds ${size}, and takes more and more unknown keys for known ones: ` +
      'rebuild it with a larger `capacity`',
    { type: 'ToolstashWarning' },
  );
}

interface Content {
  readonly capacity: number;
  size: number;
  readonly bits: BloomBits;
}

function emptyContent(capacity: number, falsePositiveRate: number): Content {
  integer(capacity, 'capacity');
  const shape = bloomShape(capacity, falsePositiveRate);
  if (shape.bitCount > mostBits) {
    throw new InvalidOptionError(
      `Expected \`capacity\` to be at most ${Math.floor((capacity * mostBits) / shape.bitCount)} at a false-positive ` +
        `rate of ${falsePositiveRate} (512 MiB), got \`${capacity}\``,
    );
  }
  return { capacity, size: 0, bits: new BloomBits(shape) };
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function put(content: Content, key: string): void {
  if (content.bits.add(key)) content.size++;
}

function isShapeOf({ bitCount, hashCount }: { bitCount: number; hashCount: number }, byteCount: number) {
  const isBitCount = isCount(bitCount) && bitCount >= 64 && bitCount <= mostBits;
  return isBitCount && hashCount >= 1 && byteCount === Math.ceil(bitCount / 32) * 4;
}

function checksumOf(bytes: Uint8Array): Buffer {
  return nodeCrypto()
    .createHash('sha256')
    .update(bytes.subarray(0, header.checksumAt))
    .update(bytes.subarray(header.bytes))
    .digest();
}

function unreadable(what: string): CacheError {
  return new CacheError(
    'ERR_UNREADABLE_VALUE',
    `The saved filter of known keys ${what}: rebuild it from the source's keys`,
  );
}
