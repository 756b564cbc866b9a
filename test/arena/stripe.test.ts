import { describe, expect, it } from 'vitest';
import { allocateStripe, at, entry, mostLoads, shapeOf, viewStripe } from '../../src/arena/layout.js';
import { allocateMembers, counter, Members } from '../../src/arena/members.js';

import { Stripe } from '../../src/arena/stripe.js';
import { inForm } from '../helper/form.js';
import { randomFrom } from './random.js';
import { WholeEntry } from './whole-entry.js';

const never = Number.POSITIVE_INFINITY;

function newStripe(maxBytes: number, maxSize: number) {
  const shape = { ...shapeOf(maxBytes, maxSize, 7), stripes: 1 };
  const members = new Members(allocateMembers());
  const id = members.join()!;
  const memory = viewStripe(allocateStripe(shape), shape);
  const open = (as = members.join()!) => new Stripe(memory, { shape, members, id: as });
  const stripe = open(id);
  stripe.initialize();
  return { stripe, memory, shape, members, id, open, counters: members.countersOf(id) };
}

/** Keys that share buckets, and few of them. */
const keyOf = (number: number) => Int32Array.of(number % 3, number, number >> 3, 5);

function compose(
  scratch: WholeEntry,
  key: Int32Array,
  { value, words, expiresAt = never, stamp = 0 }: Content,
) {
  scratch.grow(words);
  scratch.words.fill(value, entry.payload, words);
  scratch.words[entry.size] = words;
  scratch.words.set(key, entry.key);
  scratch.numbers[entry.expiresAt / 2] = expiresAt;
  scratch.numbers[entry.stamp / 2] = stamp;
  scratch.words[entry.bytes] = words * 4;
}

interface Content {
  readonly value: number;
  readonly words: number;
  readonly expiresAt?: number;
  readonly stamp?: number;
}

function write(stripe: Stripe, scratch: WholeEntry, key: Int32Array, content: Content, load?: number) {
  compose(scratch, key, content);
  return stripe.write(key, scratch, { now: 0, load });
}

function read(stripe: Stripe, scratch: WholeEntry, key: Int32Array): Content | undefined {
  if (!stripe.read(key, scratch)) return undefined;
  const words = scratch.words[entry.size]!;
  const value = scratch.words[entry.payload]!;
  for (let place = entry.payload; place < words; place += 1)
    if (scratch.words[place] !== value) throw new Error(`Torn: ${scratch.words[place]} beside ${value}`);
  return { value, words };
}

/** As `expect` takes a hundred times as long. */
function check(found: Content | undefined, expected: Content | undefined): void {
  if (found?.value !== expected?.value || found?.words !== expected?.words) expect(found).toEqual(expected);
}

describe('a stripe', () => {
  it('takes a GiB at most, and is one of no more than there may be entries', () => {
    const large = shapeOf(2 ** 36, 50_000_000, 7);
    expect(large.stripes).toBe(128);
    for (const shape of [large, shapeOf(2 ** 33, 3, 7), shapeOf(2 ** 33, 1, 7), shapeOf(65_536, 1, 7)]) {
      expect(shape.ringWords * 4).toBeLessThanOrEqual(2 ** 30);
      expect(shape.maxEntries).toBeGreaterThan(0);
    }
    const few = shapeOf(2 ** 33, 3, 7);
    expect(few.stripes * few.maxEntries).toBeLessThanOrEqual(3);
  });

  it.each(Array.from({ length: inForm({ short: 12, long: 300 }) }, (_, seed) => seed))(
    'holds what a Map would, less what left for want of room (seed %i)',
    (seed) => {
      const below = randomFrom(seed);
      const { stripe, memory, shape, counters } = newStripe(66_000 + below(60_000), 8 + below(200));
      const scratch = new WholeEntry();
      const expected = new Map<number, Content>();
      for (let step = 0; step < 3_000; step += 1) {
        const number = below(300);
        const key = keyOf(number);
        const action = below(10);
        if (action < 5) {
          const content = { value: step, words: entry.payload + 2 + 2 * below(below(10) === 0 ? 2_000 : 60) };
          const { outcome } = write(stripe, scratch, key, content);
          if ((outcome === 'stored') !== content.words <= stripe.largestEntry) throw new Error(outcome);
          if (outcome === 'stored') expected.set(number, content);
          else expected.delete(number);
          check(read(stripe, scratch, key), expected.get(number));
        } else if (action < 6) {
          stripe.delete(key);
          expected.delete(number);
        } else if (action === 6 && below(100) === 0) {
          stripe.clear();
          expected.clear();
        } else {
          const found = read(stripe, scratch, key);
          if (found === undefined) expected.delete(number);
          else check(found, expected.get(number));
        }
        const isBounded =
          stripe.entries <= shape.maxEntries &&
          memory.header[at.live]! <= memory.header[at.used]! &&
          memory.header[at.used]! <= shape.ringWords;
        if (!isBounded) throw new Error(`Beyond its bounds at step ${step}`);
      }
      for (const number of [...expected.keys()])
        if (read(stripe, scratch, keyOf(number)) === undefined) expected.delete(number);
      const all = new Map<number, Content>();
      stripe.scan(0, shape.indexWords, scratch, () => {
        const value = scratch.words[entry.payload]!;
        all.set(scratch.words[entry.key + 1]!, { value, words: scratch.words[entry.size]! });
      });
      expect(all).toEqual(expected);
      expect(stripe.entries).toBe(expected.size);
      const words = [...expected.values()].reduce((sum, each) => sum + each.words, 0);
      expect(stripe.bytes).toBe(words * 4);
      expect(counters[counter.evicted]).toBeGreaterThan(0);
    },
  );

  it('keeps what is read before what is not', () => {
    const { stripe, shape } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    // The index alone is full: the ring has room for all.
    expect(shape.maxEntries).toBe(100);
    for (let number = 0; number < 1_000; number += 1) {
      write(stripe, scratch, Int32Array.of(number * 7_919, number, 0, 0), { value: number, words: 20 });
      if (number >= 10) expect(read(stripe, scratch, Int32Array.of(5 * 7_919, 5, 0, 0))?.value).toBe(5);
    }
    expect(read(stripe, scratch, Int32Array.of(6 * 7_919, 6, 0, 0))).toBeUndefined();
  });

  it('holds as much as fits when the same keys are overwritten', () => {
    const { stripe } = newStripe(130_000, 1_000);
    const scratch = new WholeEntry();
    const keys = Array.from({ length: 250 }, (_, number) => Int32Array.of(number * 7_919, number, 0, 0));
    // All of them take 60 % of the ring.
    for (let round = 0; round < 40; round += 1)
      for (const key of keys) write(stripe, scratch, key, { value: round, words: 68 });
    expect(keys.filter((key) => read(stripe, scratch, key) === undefined)).toEqual([]);
  });

  it('lets expired entries leave first, and counts them', () => {
    const { stripe, counters } = newStripe(66_000, 10);
    const scratch = new WholeEntry();
    for (let number = 0; number < 10; number += 1)
      write(stripe, scratch, keyOf(number), { value: number, words: 20, expiresAt: -1 });
    for (let number = 0; number < 10; number += 1) read(stripe, scratch, keyOf(number));
    write(stripe, scratch, keyOf(11), { value: 11, words: 20 });
    expect(counters[counter.expired]).toBe(1);
    expect(counters[counter.evicted]).toBe(0);
  });

  it('stores what a load comes to only where its key was not changed since', () => {
    const { stripe, open } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    const key = keyOf(1);
    const content = { value: 1, words: 20, stamp: 5 };
    expect(write(stripe, scratch, key, content, 5).outcome).toBe('refused');
    stripe.withLoads((loads) => loads.begin(key, 5, false));
    expect(write(stripe, scratch, key, content, 5).outcome).toBe('stored');
    const changes = [
      () => open().delete(key),
      () => write(open(), scratch, key, { value: 2, words: 20, stamp: 4 }),
      () => open().clear(),
      () => stripe.leaveDeletion(key),
    ];
    for (const [number, change] of changes.entries()) {
      stripe.withLoads((loads) => loads.begin(key, 6 + number, false));
      change();
      expect(write(stripe, scratch, key, { ...content, stamp: 6 + number }, 6 + number).outcome).toBe(
        'refused',
      );
    }
  });

  it('lets the load that began later win, whichever returns first', () => {
    const { stripe, open } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    const key = keyOf(1);
    for (const stamp of [5, 6]) stripe.withLoads((loads) => loads.begin(key, stamp, false));
    expect(write(open(), scratch, key, { value: 6, words: 20, stamp: 6 }, 6).outcome).toBe('stored');
    expect(write(stripe, scratch, key, { value: 5, words: 20, stamp: 5 }, 5).outcome).toBe('refused');
    expect(read(stripe, scratch, key)?.value).toBe(6);
  });

  it('forgets the oldest of too many loads', () => {
    const { stripe } = newStripe(66_000, 1_000);
    const scratch = new WholeEntry();
    for (let number = 0; number <= mostLoads; number += 1)
      stripe.withLoads((loads) => loads.begin(keyOf(number), number, false));
    expect(write(stripe, scratch, keyOf(0), { value: 1, words: 20 }, 0).outcome).toBe('refused');
    for (let number = 1; number <= mostLoads; number += 1)
      expect(
        write(stripe, scratch, keyOf(number), { value: 1, words: 20, stamp: number }, number).outcome,
      ).toBe('stored');
  });

  it('takes no turn from a living thread, and that of a dead one', () => {
    const { stripe, open, members, id } = newStripe(66_000, 100);
    const [key, other] = [keyOf(1), members.join()!];
    open(other).withLoads((loads) => loads.begin(key, 1, true));
    const turn = () => stripe.withLoads((loads) => loads.turnOf(key));
    expect(turn()).toEqual({ holder: other, died: false });
    members.leave(other);
    expect(turn()).toEqual({ holder: 0, died: true });
    stripe.withLoads((loads) => loads.begin(key, 2, true));
    expect(turn()).toEqual({ holder: id, died: false });
  });

  it('goes by a lock that is held, and leaves nothing outdated behind', () => {
    const { stripe, memory, open, members, counters } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    const [deleted, overwritten, other] = [keyOf(1), keyOf(2), Int32Array.of(9, 9, 9, 9)];
    for (const key of [deleted, overwritten, other]) write(stripe, scratch, key, { value: 1, words: 20 });
    const holder = members.join()!;
    // As a thread that was stopped in the midst of a change.
    memory.header[at.lock] = holder;
    memory.header[at.sequence]! += 1;
    expect(read(stripe, scratch, other)).toBeUndefined();
    expect(stripe.delete(deleted)).toEqual({ outcome: false, isLoadedElsewhere: true });
    expect(write(stripe, scratch, overwritten, { value: 2, words: 20 }).outcome).toBe('bypassed');
    expect(counters[counter.bypassedReads]).toBe(1);
    expect(counters[counter.bypassedWrites]).toBe(2);
    // It goes on.
    memory.header[at.sequence]! += 1;
    memory.header[at.lock] = 0;
    expect(read(stripe, scratch, deleted)).toBeUndefined();
    expect(read(open(), scratch, overwritten)).toBeUndefined();
    expect(read(stripe, scratch, other)?.value).toBe(1);
  });

  it('is emptied where more changes than it can note went by it', () => {
    const { stripe, memory, members } = newStripe(66_000, 200);
    const scratch = new WholeEntry();
    for (let number = 0; number < 200; number += 1)
      write(stripe, scratch, Int32Array.of(number, 0, 0, 0), { value: 1, words: 20 });
    memory.header[at.lock] = members.join()!;
    for (let number = 0; number < 40; number += 1) stripe.delete(Int32Array.of(number, 0, 0, 0));
    memory.header[at.lock] = 0;
    for (let number = 0; number < 200; number += 1)
      expect(read(stripe, scratch, Int32Array.of(number, 0, 0, 0))).toBeUndefined();
    expect(stripe.entries).toBe(0);
  });

  it('is taken from a dead holder, and emptied, and never from a living one', () => {
    const { stripe, memory, open, members } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    const key = keyOf(1);
    write(stripe, scratch, key, { value: 1, words: 20 });
    const [holder, living] = [members.join()!, members.join()!];
    memory.header[at.lock] = holder;
    memory.header[at.sequence]! += 1;
    stripe.repair(living);
    expect(memory.header[at.lock]).toBe(holder);
    members.leave(holder);
    stripe.repair(holder);
    expect(memory.header[at.sequence]! % 2).toBe(0);
    expect(read(stripe, scratch, key)).toBeUndefined();
    expect(write(stripe, scratch, key, { value: 2, words: 20 }).outcome).toBe('stored');
    expect(read(open(), scratch, key)?.value).toBe(2);
    // Who was taken for dead has no right to anything any more.
    expect(write(open(holder), scratch, key, { value: 3, words: 20 }).outcome).toBe('bypassed');
    expect(read(stripe, scratch, key)).toBeUndefined();
  });

  it('is emptied when a change throws in its midst', () => {
    const { stripe } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    write(stripe, scratch, keyOf(1), { value: 1, words: 20 });
    const failing = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    expect(() => stripe.withLoads(failing)).toThrow(RangeError);
    expect(read(stripe, scratch, keyOf(1))).toBeUndefined();
    expect(write(stripe, scratch, keyOf(1), { value: 2, words: 20 }).outcome).toBe('stored');
  });

  it('counts on through the end of the sequence', () => {
    const { stripe, memory } = newStripe(66_000, 100);
    const scratch = new WholeEntry();
    memory.header[at.sequence] = -4;
    for (let value = 0; value < 6; value += 1) {
      write(stripe, scratch, keyOf(1), { value, words: 20 });
      expect(read(stripe, scratch, keyOf(1))?.value).toBe(value);
    }
    expect(memory.header[at.round]).toBe(1);
  });
});
