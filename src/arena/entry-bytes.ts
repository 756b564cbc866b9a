/** How an entry of the memory tier lies in an arena: numbers at fixed places, then the method, what few entries have, the value. */

import type { KeyOrigin } from '../key/key-origin.js';
import type { ArenaWiring } from '../store/arena-options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { entry as head, roundUp } from './layout.js';
import type { KeyWords } from './ring.js';
import type { Scratch } from './scratch.js';

/** Places of 64-bit numbers in an entry. */
const numbers = head.payload / 2;
const createdAt = numbers;
const staleAt = numbers + 1;
const validUntil = numbers + 2;
const created = numbers + 3;
const loadMs = numbers + 4;
/** When it was read last, by the clock of the thread that did: kept of entries that slide alone. */
export const lastAccess = numbers + 5;
/** Places of bytes. */
const flags = (numbers + 6) * 8;
const methodLength = flags + 2;
const extrasLength = flags + 4;
const texts = flags + 8;

const negative = 1;
const ownTtl = 2;

/** What few entries have. */
interface Extras {
  readonly idleMs?: number;
  readonly cost?: number;
  readonly tags?: readonly string[];
  readonly origin?: KeyOrigin;
}

/** What an entry is written and read with. */
export interface EntryContext extends Pick<ArenaWiring, 'codec' | 'entryOf'> {
  /** What stamps that are read carry as their writer. */
  readonly writer: string;
  /** What all threads' monotonic clocks are ahead of this one's `Clock.elapsed()`, in ms. */
  readonly clockOffset: number;
}

/** Whether an entry takes no more than so many words. It lies in the scratch memory then, ready to be stored. */
export function encodeEntry(
  entry: MemoryEntry,
  place: {
    readonly key: KeyWords;
    readonly value: Uint8Array;
    readonly scratch: Scratch;
    readonly mostWords: number;
  },
  { codec, clockOffset }: EntryContext,
): boolean {
  const { key, value, scratch, mostWords } = place;
  const { tags, origin, cost, idleMs } = entry;
  const isPlain = tags === undefined && origin === undefined && cost === undefined && idleMs === 0;
  const extras = isPlain ? undefined : codec.encode(extrasOf(entry));
  const methodBytes = Buffer.byteLength(entry.method);
  const size = texts + methodBytes + (extras?.byteLength ?? 0) + value.byteLength;
  const words = roundUp(size, 8) / 4;
  if (words > mostWords || methodBytes > 0xffff) return false;
  scratch.grow(words);
  const { words: ints, numbers: doubles, bytes } = scratch;
  ints[head.size] = words;
  ints.set(key, head.key);
  doubles[head.expiresAt / 2] = entry.expiresAt ?? Number.POSITIVE_INFINITY;
  doubles[head.stamp / 2] = entry.stamp.time;
  ints[head.bytes] = size;
  doubles[createdAt] = entry.createdAt;
  doubles[staleAt] = entry.staleAt ?? Number.POSITIVE_INFINITY;
  doubles[validUntil] = entry.validUntil ?? Number.POSITIVE_INFINITY;
  doubles[created] = entry.createdElapsed === undefined ? Number.NaN : entry.createdElapsed + clockOffset;
  doubles[loadMs] = entry.loadMs;
  doubles[lastAccess] = entry.lastAccess;
  bytes[flags] = (entry.isNegative ? negative : 0) | (entry.hasOwnTtl ? ownTtl : 0);
  bytes.writeUInt16LE(methodBytes, methodLength);
  bytes.writeUInt32LE(extras?.byteLength ?? 0, extrasLength);
  let at = texts + bytes.write(entry.method, texts);
  if (extras !== undefined) {
    bytes.set(extras, at);
    at += extras.byteLength;
  }
  bytes.set(value, at);
  return true;
}

/** The entry in the scratch memory, which may be used for something else afterwards. */
export function decodeEntry(
  key: string,
  scratch: Scratch,
  { codec, entryOf, writer, clockOffset }: EntryContext,
): MemoryEntry {
  const { words: ints, numbers: doubles, bytes } = scratch;
  const end = ints[head.bytes]!;
  const methodEnd = texts + bytes.readUInt16LE(methodLength);
  const valueStart = methodEnd + bytes.readUInt32LE(extrasLength);
  const extras = (
    valueStart === methodEnd ? {} : codec.decode(bytes.subarray(methodEnd, valueStart))
  ) as Extras;
  const { tags, origin, cost, idleMs = 0 } = extras;
  const encoded = Buffer.allocUnsafe(end - valueStart);
  bytes.copy(encoded, 0, valueStart, end);
  const elapsed = doubles[created]!;
  const init = {
    key,
    method: bytes.toString('utf8', texts, methodEnd),
    stamp: { time: doubles[head.stamp / 2]!, writer },
    createdAt: doubles[createdAt]!,
    staleAt: finite(doubles[staleAt]!),
    expiresAt: finite(doubles[head.expiresAt / 2]!),
    validUntil: finite(doubles[validUntil]!),
    loadMs: doubles[loadMs]!,
    lastAccess: doubles[lastAccess]!,
    createdElapsed: Number.isNaN(elapsed) ? undefined : elapsed - clockOffset,
    isNegative: (bytes[flags]! & negative) !== 0,
    hasOwnTtl: (bytes[flags]! & ownTtl) !== 0,
    tags,
    origin,
    cost,
    idleMs,
  };
  return entryOf(init, encoded);
}

function extrasOf({ tags, origin, cost, idleMs }: MemoryEntry): Extras {
  return {
    ...(tags !== undefined && { tags }),
    ...(origin !== undefined && { origin }),
    ...(cost !== undefined && { cost }),
    ...(idleMs > 0 && { idleMs }),
  };
}

function finite(time: number): number | null {
  return time === Number.POSITIVE_INFINITY ? null : time;
}
