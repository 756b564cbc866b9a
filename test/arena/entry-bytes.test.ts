import { describe, expect, it } from 'vitest';
import { EntryWriter } from '../../src/arena/entry-bytes.js';
import { EntryReader } from '../../src/arena/entry-reader.js';
import { readKey } from '../../src/arena/key-words.js';
import {
  allocateStripe,
  entry as at,
  ringStart,
  type StripeMemory,
  shapeOf,
  viewStripe,
} from '../../src/arena/layout.js';
import { allocateMembers, Members } from '../../src/arena/members.js';
import { Stripe } from '../../src/arena/stripe.js';
import { MemoryEntry } from '../../src/store/memory-entry.js';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper } from '../../src/value/keeper.js';
import { inForm } from '../helper/form.js';
import { randomFrom } from './random.js';

const codec = createValueCodec();
const keeper = copyingKeeper(codec);
const key = '00ff17a94c8b2d6e5f30e1d2c3b4a596';

function newStripe() {
  const shape = { ...shapeOf(2 ** 17, 200, 7), stripes: 1 };
  const members = new Members(allocateMembers());
  const memory = viewStripe(allocateStripe(shape), shape);
  const stripe = new Stripe(memory, { shape, members, id: members.join()! });
  stripe.initialize();
  const words = new Int32Array(4);
  readKey(key, words);
  const reader = new EntryReader({ codec, writer: 'w', clockOffset: 1_000 });
  const writer = new EntryWriter({ codec, keeper }, stripe.largestEntry, 1_000);
  return { stripe, memory, reader, writer, words };
}

/** An entry with some of what an entry may have, by the bits of a number. */
function entryWith(bits: number, value: unknown): MemoryEntry {
  const has = (bit: number) => (bits & (1 << bit)) !== 0;
  return new MemoryEntry({
    ...{ key, method: has(0) ? 'search' : 'größer als 24 Zeichen und nicht ASCII' },
    ...keeper.encode(value),
    ...{ stamp: { time: 1_795_000_000_123_456, writer: 'w' }, createdAt: 1_795_000_000_000 },
    staleAt: has(1) ? 1_795_000_001_000 : null,
    expiresAt: has(2) ? 1_795_000_002_000 : null,
    validUntil: has(3) ? 1_795_000_003_000 : has(2) ? 1_795_000_002_000 : null,
    loadMs: has(4) ? 12.25 : 0,
    createdElapsed: has(5) ? 77.5 : undefined,
    isNegative: has(6),
    hasOwnTtl: has(7),
    tags: has(8) ? ['a', 'tag:ü'] : undefined,
    origin: has(9) ? { scope: 'task-1', encodedParams: new Uint8Array([1, 2, 3]) } : undefined,
    cost: has(10) ? 0.5 : undefined,
    idleMs: has(11) ? 5_000 : 0,
    lastAccess: has(12) ? 1_795_000_000_500 : 1_795_000_000_000,
  });
}

const told = ({ stored, bytes, origin, ...others }: MemoryEntry) => ({
  ...others,
  value: keeper.decode(stored),
  origin: origin && { ...origin, encodedParams: [...origin.encodedParams!] },
});

describe('an entry in an arena', () => {
  it('is read as it was written, whatever it has', () => {
    const { stripe, reader, writer, words } = newStripe();
    const values = ['text', 'Straße', '漢字 🦦', '', { rows: [1, 'two'] }, Buffer.from('bytes'), undefined];
    for (let bits = 0; bits < 2 ** 13; bits += 1) {
      const entry = entryWith(bits, values[bits % values.length]);
      expect(writer.write(entry, words)).toBe(true);
      expect(stripe.write(words, writer.scratch, { now: 0 }).outcome).toBe('stored');
      expect(stripe.read(words, reader)).toBe(true);
      const found = told(reader.entry(key));
      // As Vitest's comparison takes long.
      if (JSON.stringify(found) !== JSON.stringify(told(entry))) expect(found).toEqual(told(entry));
    }
  });

  it('is an entry of its own: what is read next changes nothing of it', () => {
    const { stripe, reader, writer, words } = newStripe();
    const read = (value: unknown) => {
      writer.write(entryWith(0, value), words);
      stripe.write(words, writer.scratch, { now: 0 });
      stripe.read(words, reader);
      return reader.entry(key);
    };
    const entries = Array.from({ length: 200 }, (_, number) =>
      read({ number, text: 'x'.repeat(number * 50) }),
    );
    expect(entries.map(({ stored }) => (keeper.decode(stored) as { number: number }).number)).toEqual(
      Array.from({ length: 200 }, (_, number) => number),
    );
  });

  it('is looked for in vain, and not for ever, where its index leads in a circle', () => {
    const { stripe, memory, reader, writer, words } = newStripe();
    writer.write(entryWith(0, 'text'), words);
    stripe.write(words, writer.scratch, { now: 0 });
    memory.ring[ringStart + at.next] = ringStart;
    memory.ring[ringStart + at.key + 3]! += 1;
    expect(stripe.read(words, reader)).toBe(false);
  });

  it.each(Array.from({ length: inForm({ short: 10, long: 500 }) }, (_, seed) => seed))(
    'leads nowhere and throws nothing where its bytes, or its index, are being changed (seed %i)',
    (seed) => {
      const below = randomFrom(seed);
      const { stripe, memory, reader, writer, words } = newStripe();
      writer.write(entryWith(below(2 ** 13), 'x'.repeat(below(4_000))), words);
      stripe.write(words, writer.scratch, { now: 0 });
      for (let step = 0; step < 500; step += 1) {
        spoil(memory, below);
        expect(typeof stripe.read(words, reader)).toBe('boolean');
        // Anywhere: an index may lead there.
        reader.take(memory, below(memory.ring.length + 10));
      }
    },
  );
});

/** Changes some words as another thread might: to places, sizes, numbers or texts. */
function spoil({ ring, index, bytes }: StripeMemory, below: (bound: number) => number): void {
  const word = () =>
    [below(ring.length), below(200), -below(5_000), below(2 ** 32) | 0, 0x61616161][below(5)]!;
  for (let times = 1 + below(8); times > 0; times -= 1) {
    const target = below(3) === 0 ? index : ring;
    // Most of them in the first entry.
    target[below(below(2) === 0 ? 40 : target.length)] = word();
  }
  if (below(10) === 0) bytes.fill(below(256), below(2_000), 2_000 + below(2_000));
}
