/** Runs jobs in threads, each taking the next as soon as it is done. */

import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { AccessTrace } from './access-trace.js';
import { type Job, jobRunner, type Outcome } from './job.js';

/** What runs where. */
export interface ThreadedJobs {
  readonly trace: AccessTrace;
  readonly jobs: readonly Job[];
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: Outcome) => void;
}

/** The file that threads run; beside the sources there is none, which are run without being built. */
const workerFile = new URL('./simulation-worker.js', import.meta.url);

/** What all threads together take, in bytes. */
const memoryOfThreads = 2 ** 29;

/** Runs all jobs, in no stated order. After an abort no more is begun, and those under way are given up. */
export async function runJobs({ trace, jobs, threads, signal, onOutcome }: ThreadedJobs): Promise<void> {
  const left = [...jobs];
  const next = () => (signal.aborted ? undefined : left.shift());
  if (threads === 1 || !existsSync(fileURLToPath(workerFile))) {
    const run = jobRunner(trace);
    for (let job = next(); job !== undefined; job = next()) {
      onOutcome(run(job));
      await nextTurn();
    }
    return;
  }
  const count = Math.min(threads, jobs.length, threadsInMemory(trace.bytes.length));
  await Promise.all(Array.from({ length: count }, () => runThread(trace, next, onOutcome, signal)));
}

/** How many threads have memory for entries of their own, of some 600 bytes with their places in a store. */
function threadsInMemory(keys: number): number {
  return Math.max(1, Math.floor(memoryOfThreads / (keys * 600)));
}

async function runThread(
  trace: AccessTrace,
  next: () => Job | undefined,
  onOutcome: (outcome: Outcome) => void,
  signal: AbortSignal,
): Promise<void> {
  const worker = new Worker(workerFile, { workerData: trace });
  try {
    await new Promise<void>((resolve, reject) => {
      const proceed = () => {
        const job = next();
        if (job === undefined) resolve();
        else worker.postMessage(job);
      };
      signal.addEventListener('abort', () => resolve(), { once: true });
      worker.on('error', reject);
      worker.on('exit', () =>
        reject(new Error('Expected a thread of the simulation to go on, but it ended')),
      );
      worker.on('message', (outcome: Outcome) => {
        onOutcome(outcome);
        proceed();
      });
      proceed();
    });
  } finally {
    await worker.terminate();
  }
}
