/** What a thread of the tests does: it is bundled, and started as a worker. */

import { parentPort, workerData } from 'node:worker_threads';
import { entry } from '../../src/arena/layout.js';

import { SharedArena } from '../../src/arena/shared-arena.js';
import type { ArenaHandle } from '../../src/store/arena-options.js';
import type { Operation } from './linearizable.js';
import { randomFrom } from './random.js';
import { WholeEntry } from './whole-entry.js';

/** What a thread is told to do. */
export interface ThreadTask {
  readonly handle: ArenaHandle;
  readonly task: 'histories' | 'hammer' | 'pause';
  readonly seed: number;
  /** Word 0: the order of events; word 1: the round that is to be run; word 2: whether to stop. */
  readonly shared: SharedArrayBuffer;
  readonly keys: number;
  /** The most words of a value. */
  readonly mostWords: number;
}

/** One operation, and its key. */
export type Recorded = Operation & { readonly key: number };

/** The key of a number, in a stripe of its own as far as there are. */
export const keyOf = (number: number) => Int32Array.of(Math.imul(number, 0x9e3779b1), number, 7, number);

/** A value that tells of itself whether it is whole. */
export function fill(scratch: WholeEntry, key: Int32Array, value: number, words: number): void {
  scratch.grow(words);
  scratch.words[entry.size] = words;
  scratch.words.set(key, entry.key);
  scratch.numbers[entry.expiresAt / 2] = Number.POSITIVE_INFINITY;
  scratch.numbers[entry.stamp / 2] = value;
  scratch.words[entry.bytes] = words * 4;
  for (let place = entry.payload; place < words; place += 1)
    scratch.words[place] = Math.imul(value ^ place, 0x01000193) ^ words;
}

/** The value in the scratch memory. @throws where it is not whole, or another key's */
export function check(scratch: WholeEntry, key: Int32Array): number {
  const { words, numbers } = scratch;
  const size = words[entry.size]!;
  const value = numbers[entry.stamp / 2]!;
  for (let place = 0; place < 4; place += 1)
    if (words[entry.key + place] !== key[place]) throw new Error('The entry of another key was read');
  for (let place = entry.payload; place < size; place += 1)
    if (words[place] !== (Math.imul(value ^ place, 0x01000193) ^ size))
      throw new Error('A torn entry was read');
  return value;
}

/** Something random is done with a key; `undefined` where a lookup has found nothing. */
export function step(
  arena: SharedArena,
  scratch: WholeEntry,
  { below, keys, mostWords, value }: StepOptions,
): Omit<Recorded, 'began' | 'ended'> | undefined {
  const number = below(keys);
  const key = keyOf(number);
  const stripe = arena.stripeOf(key);
  const chance = below(10);
  if (chance < 4) {
    fill(scratch, key, value, entry.payload + 2 + 2 * below(mostWords / 2));
    const { outcome } = stripe.write(key, scratch, { now: 0 });
    // What goes by the arena deletes what is there.
    return {
      key: number,
      kind: outcome === 'stored' ? 'set' : 'delete',
      value: outcome === 'stored' ? value : 0,
    };
  }
  if (chance === 4) {
    stripe.delete(key);
    return { key: number, kind: 'delete', value: 0 };
  }
  return stripe.read(key, scratch) ? { key: number, kind: 'get', value: check(scratch, key) } : undefined;
}

interface StepOptions extends Pick<ThreadTask, 'keys' | 'mostWords'> {
  readonly below: (bound: number) => number;
  readonly value: number;
}

const operationsPerHistory = 12;

if (parentPort !== null && (workerData as Partial<ThreadTask>)?.handle !== undefined)
  run(workerData as ThreadTask);

function run({ handle, task, seed, shared, keys, mostWords }: ThreadTask): void {
  const arena = SharedArena.attach(handle);
  const scratch = new WholeEntry();
  const below = randomFrom(seed);
  const words = new Int32Array(shared);
  if (task === 'pause') {
    arena.stripeOf(keyOf(1)).withLoads(() => {
      parentPort!.postMessage('paused');
      Atomics.wait(words, 2, 0);
    });
    parentPort!.postMessage('done');
    return;
  }
  if (task === 'hammer') {
    parentPort!.postMessage('started');
    let found = 0;
    for (let value = 1; Atomics.load(words, 2) === 0; value += 1)
      if (step(arena, scratch, { below, keys, mostWords, value })?.kind === 'get') found += 1;
    parentPort!.postMessage(found);
    return;
  }
  let value = seed * 1_000_000;
  for (let round = 1; ; round += 1) {
    parentPort!.postMessage('ready');
    // Who is woken looks again: it may have been meant for the round before.
    while (Atomics.load(words, 1) < round) Atomics.wait(words, 1, round - 1);
    if (Atomics.load(words, 2) !== 0) return;
    const history: Recorded[] = [];
    for (let operation = 0; operation < operationsPerHistory; operation += 1) {
      value += 1;
      const began = Atomics.add(words, 0, 1);
      const done = step(arena, scratch, { below, keys, mostWords, value });
      const ended = Atomics.add(words, 0, 1);
      if (done !== undefined) history.push({ ...done, began, ended });
    }
    parentPort!.postMessage(history);
  }
}
