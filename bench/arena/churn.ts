/** A store of a million values of 1 KB, in a process of its own: what it takes of memory, and how long it pauses. */

import { LRUCache } from 'lru-cache';
import { arena } from '../../src/arena/index.js';
import { CacheManager } from '../../src/index.js';
import { seededRandom } from '../workloads.js';
import { ThreadTimes } from './thread-time.js';
import { isTextOf, textOf, valueBytes } from './values.js';

/** What a process is asked for. */
export type ChurnRequest = { readonly kind: 'fill' } | { readonly kind: 'churn'; readonly ms: number };

/** What it answers. */
export interface ChurnAnswer {
  readonly entries: number;
  /** Bytes of memory that the process has grown by since it made its store. */
  readonly grown: number;
  /** Every batch, in ms, the longest first: elapsed, and less what it waited for a core. */
  readonly longest: number;
  readonly longestRunning: number;
  readonly batches: number;
  /** Seconds of CPU, all threads. */
  readonly cpu: number;
}

/** The entries of a store. */
export const million = 1_000_000;

/** Parts of an arena are filled by chance, each to the 97th part or more. */
const maxSize = Math.ceil(million / 0.97);
const operationsPerBatch = 100;

interface Store {
  set(number: number, text: string): void;
  get(number: number): string | undefined;
  readonly size: number;
}

const stores: Record<string, () => Store> = {
  arena() {
    const memory = arena({ maxBytes: Math.ceil(maxSize * (valueBytes + 200)), maxSize });
    const tool = new CacheManager({ memory }).method('tool');
    return {
      set: (number, text) => void tool.setSync(number, text),
      get: (number) => tool.getSync(number),
      get size() {
        return memory.stats().entries;
      },
    };
  },
  'lru-cache'() {
    const cache = new LRUCache<string, string>({ max: million });
    return {
      set: (number, text) => void cache.set(`tool:${number}`, text),
      get: (number) => cache.get(`tool:${number}`),
      get size() {
        return cache.size;
      },
    };
  },
};

const store = stores[process.argv[2] ?? '']!();
const times = new ThreadTimes();
const random = seededRandom(5);
const begun = process.memoryUsage().rss;
let next = 0;

process.on('message', (request: ChurnRequest) => {
  const cpu = process.cpuUsage();
  const pauses = request.kind === 'fill' ? fill() : churn(request.ms);
  const { user, system } = process.cpuUsage(cpu);
  const grown = process.memoryUsage().rss - begun;
  process.send!({ entries: store.size, grown, ...pauses, cpu: (user + system) / 1e6 } satisfies ChurnAnswer);
});

/** Fills the store, and looks whether it answers rightly. */
function fill(): Pick<ChurnAnswer, 'longest' | 'longestRunning' | 'batches'> {
  for (; next < million; next += 1) store.set(next, textOf(next));
  let found = 0;
  for (let times = 0; times < 10_000; times += 1) {
    const number = Math.floor(random() * million);
    const text = store.get(number);
    if (text !== undefined && text !== textOf(number)) throw new Error(`Answered ${number} wrongly`);
    if (text !== undefined) found += 1;
  }
  if (found < 9_900) throw new Error(`Expected to find what was stored, found ${found} of 10,000`);
  return { longest: 0, longestRunning: 0, batches: 0 };
}

function churn(ms: number): Pick<ChurnAnswer, 'longest' | 'longestRunning' | 'batches'> {
  const until = performance.now() + ms;
  let [longest, longestRunning, batches, found] = [0, 0, 0, 0];
  for (let since = performance.now(); since < until; batches += 1) {
    const { waiting } = times.now();
    const before = performance.now();
    for (let operation = 0; operation < operationsPerBatch; operation += 1) {
      store.set(next, textOf(next));
      next += 1;
      const number = next - 1 - Math.floor(random() * million);
      const text = store.get(number);
      if (text === undefined) continue;
      if (!isTextOf(text, number)) throw new Error(`Answered ${number} wrongly`);
      found += 1;
    }
    since = performance.now();
    const elapsed = since - before;
    if (elapsed > longest) longest = elapsed;
    if (elapsed > longestRunning)
      longestRunning = Math.max(longestRunning, elapsed - (times.now().waiting - waiting) / 1e6);
  }
  if (found < batches * 30) throw new Error('Expected to find more of what was stored');
  return { longest, longestRunning, batches };
}
