/** One contender in a process of its own: fills a store, times it, and prints what it found as JSON. */

import { cpuTime, median, settleHeap } from '../rounds.js';
import { freshKey, type Random, seededRandom, uniformNumbers, zipfNumbers } from '../workloads.js';
import { type BenchedStore, policyContenders, storeContenders } from './store-contenders.js';

/** What the parent asks for. */
export interface StoreJob {
  readonly name: string;
  readonly maxSize: number;
  readonly seed: number;
  /** How many timed batches; the first two batches only warm up. */
  readonly batches: number;
  readonly batchSize: number;
}

/** What one process found. Times are nanoseconds per operation. */
export interface StoreFigures {
  readonly hit: number;
  /** Setting a key that is not in a full store: one in, one out. */
  readonly insert: number;
  /** Get, and set on a miss, by Zipf's law over four times as many keys as fit. */
  readonly mix: number;
  readonly hitRate: number;
  /** Heap bytes per entry, its key of 32 digits included. */
  readonly bytesPerEntry: number;
}

const warmUpBatches = 2;

/** An operation slow enough to take longer than this is timed on fewer operations. */
const batchLimitNs = 2e8;

process.stdout.write(JSON.stringify(measure(JSON.parse(process.argv[2] as string))));

function measure({ name, maxSize, seed, batches, batchSize }: StoreJob): StoreFigures {
  const contender = [...storeContenders, ...policyContenders].find((each) => each.name === name);
  if (contender === undefined) throw new Error(`No store is called ${name}`);
  const random = seededRandom(seed);
  const before = heapBytes();
  const store = contender.create(maxSize);
  for (let n = 0; n < maxSize; n++) store.set(freshKey(n), n);
  const bytesPerEntry = (heapBytes() - before) / maxSize;
  const plan = { store, batches: batches + warmUpBatches, batchSize, maxSize, random };
  const hit = timeHits(plan);
  const insert = timeInserts(plan);
  // A new store: frequencies and entries of the other measurements would tell in the hit rate.
  const mixed = timeMix({ ...plan, store: contender.create(maxSize) });
  return { hit, insert, ...mixed, bytesPerEntry };
}

interface Plan {
  readonly store: BenchedStore;
  readonly batches: number;
  readonly batchSize: number;
  readonly maxSize: number;
  readonly random: Random;
}

function timeHits({ store, batches, batchSize, maxSize, random }: Plan): number {
  return timeBatches(batches, () => {
    const numbers = uniformNumbers(batchSize, maxSize, random);
    const keys = Array.from(numbers, freshKey);
    return timed(keys, (key, i) => {
      if (store.get(key) !== numbers[i]) throw new Error(`Wrong answer for ${key}`);
    });
  });
}

function timeInserts({ store, batches, batchSize, maxSize }: Plan): number {
  let next = 10 * maxSize;
  return timeBatches(batches, () => {
    const first = next;
    const keys = Array.from({ length: batchSize }, () => freshKey(next++));
    const nanoseconds = timed(keys, (key, i) => store.set(key, first + i));
    const last = store.get(freshKey(first));
    if (last !== undefined && last !== first) throw new Error('Wrong answer for an inserted key');
    return nanoseconds;
  });
}

function timeMix({ store, batches, batchSize, maxSize, random }: Plan): { mix: number; hitRate: number } {
  const universe = 4 * maxSize;
  let hits = 0;
  let calls = 0;
  const draw = zipfNumbers(universe, random);
  const numbersOf = (count: number) => Int32Array.from({ length: count }, draw);
  const visit = (key: string, n: number) => {
    const found = store.get(key);
    calls++;
    if (found === undefined) store.set(key, n);
    else if (found === n) hits++;
    else throw new Error(`Wrong answer for ${key}`);
  };
  for (let n = 0; n < maxSize; n++) store.set(freshKey(n), n);
  // What is popular gets in; bounded, for stores that take long to evict.
  const started = cpuTime();
  for (const [i, n] of numbersOf(Math.ceil(maxSize / 2)).entries()) {
    visit(freshKey(n), n);
    if (i % 100 === 0 && cpuTime() - started > 10 * batchLimitNs) break;
  }
  const total = numbersOf(batches * batchSize);
  hits = 0;
  calls = 0;
  let at = 0;
  const mix = timeBatches(batches, () => {
    const numbers = total.subarray(at, at + batchSize);
    at += batchSize;
    return timed(Array.from(numbers, freshKey), (key, i) => visit(key, numbers[i] as number));
  });
  return { mix, hitRate: hits / calls };
}

function timeBatches(count: number, batch: () => number): number {
  return median(Array.from({ length: count }, batch).slice(warmUpBatches));
}

/** Nanoseconds per call. Looks at the clock now and then, ever less often, to stop a batch that takes too long. */
function timed(keys: readonly string[], operation: (key: string, i: number) => void): number {
  let chunk = 10;
  settleHeap();
  const started = cpuTime();
  let done = 0;
  let elapsed = 0;
  while (done < keys.length && elapsed < batchLimitNs) {
    const end = Math.min(done + chunk, keys.length);
    for (; done < end; done++) operation(keys[done] as string, done);
    elapsed = cpuTime() - started;
    chunk *= 2;
  }
  return elapsed / done;
}

function heapBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
