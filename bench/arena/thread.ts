/** A thread that works in an arena for some milliseconds, as often as it is told to. */

import { parentPort, workerData } from 'node:worker_threads';
import { hashKey } from '../../src/index.js';
import type { ArenaHandle } from '../../src/store/arena-options.js';
import { seededRandom } from '../workloads.js';
import { ThreadTimes } from './thread-time.js';
import { Layers } from './tier.js';
import { isTextOf, textOf } from './values.js';

/** What a thread is given. */
export interface ThreadStart {
  readonly handle: ArenaHandle;
  readonly seed: number;
  readonly entries: number;
  /** Word 0: how many times all have begun. */
  readonly signal: SharedArrayBuffer;
}

/** What a thread is told to do. */
export interface ThreadRound {
  /** The value of the signal at which it begins. */
  readonly at: number;
  readonly ms: number;
  /** The share of writes. */
  readonly writes: number;
}

/** What it has done. */
export interface ThreadAnswer {
  readonly operations: number;
  readonly ms: number;
  /** Time on a processor; 0 where that is not known. */
  readonly runningMs: number;
}

const { handle, seed, entries, signal } = workerData as ThreadStart;
const layers = Layers.attach(handle);
const times = new ThreadTimes();
const random = seededRandom(seed);
const words = new Int32Array(signal);
const keys = Array.from({ length: 50_000 }, () => {
  const id = Math.floor(random() * entries);
  return { id, key: hashKey('tool', { id }) };
});

parentPort!.on('message', ({ at, ms, writes }: ThreadRound) => {
  parentPort!.postMessage('ready');
  Atomics.wait(words, 0, at - 1);
  const began = performance.now();
  const { running } = times.now();
  let [operations, misses] = [0, 0];
  for (const until = began + ms; performance.now() < until; ) {
    for (let batch = 0; batch < 200; batch += 1) {
      const { id, key } = keys[(operations * 7) % keys.length]!;
      operations += 1;
      if (random() < writes) layers.set(key, 'tool', textOf(id));
      else {
        const text = layers.get(key) as string | undefined;
        if (text === undefined) misses += 1;
        else if (!isTextOf(text, id)) throw new Error(`Answered ${id} wrongly`);
      }
    }
  }
  // Some lookups can't have a lock in time, where the machine is busy.
  if (misses > operations / 100) throw new Error(`Of ${operations} lookups ${misses} found nothing`);
  const answer: ThreadAnswer = {
    operations,
    ms: performance.now() - began,
    runningMs: (times.now().running - running) / 1e6,
  };
  parentPort!.postMessage(answer);
});
