/** A store of a million values of 1 KB, in a process of its own: what it takes of memory, and how long it pauses. */

import { seededRandom } from '../workloads.js';
import { million, stores } from './stores.js';
import { ThreadTimes } from './thread-time.js';
import { isTextOf, textOf } from './values.js';

/** What a process is asked for. */
export type ChurnRequest = { readonly kind: 'fill' } | { readonly kind: 'churn'; readonly ms: number };

/** What it answers. */
export interface ChurnAnswer {
  readonly entries: number;
  /** Bytes of memory that the process has grown by from before it made its store. */
  readonly grown: number;
  /** Every batch, in ms, the longest first: elapsed, and less what it waited for a core. */
  readonly longest: number;
  readonly longestRunning: number;
  readonly batches: number;
  /** Seconds of CPU, all threads. */
  readonly cpu: number;
}

const operationsPerBatch = 100;

const begun = process.memoryUsage().rss;
const store = stores[process.argv[2] ?? '']!();
const times = new ThreadTimes();
const random = seededRandom(5);
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
