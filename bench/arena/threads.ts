/** Two threads in one arena beside one: what both do in the time. */

import { on } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { printTable } from '../report.js';
import { median } from '../rounds.js';
import type { ThreadAnswer, ThreadRound, ThreadStart } from './thread.js';
import { Layers } from './tier.js';
import { textOf } from './values.js';

const entries = 100_000;
const ms = 500;

/** Runs the comparison, and prints it. */
export async function twoThreads(rounds: number): Promise<void> {
  const layers = Layers.create({ maxBytes: 2 ** 29, maxSize: 500_000 });
  for (let id = 0; id < entries; id += 1) layers.cache.setSync('tool', { id }, textOf(id));
  const signal = new SharedArrayBuffer(4);
  const words = new Int32Array(signal);
  const threads = [1, 2].map((seed) => {
    const handle = layers.arena.share();
    const workerData: ThreadStart = { handle, seed, entries, signal };
    const worker = new Worker(fileURLToPath(new URL('arena-thread.js', import.meta.url)), {
      workerData,
      transferList: [handle.port],
    });
    return { worker, messages: on(worker, 'message') as AsyncIterator<[unknown]> };
  });
  const next = async ({ messages }: (typeof threads)[number]) => (await messages.next()).value[0] as unknown;
  /** Operations in a millisecond of all threads together: of time, and of time on a processor. */
  const run = async (count: number, writes: number) => {
    const used = threads.slice(0, count);
    const at = words[0]! + 1;
    for (const { worker } of used) worker.postMessage({ at, ms, writes } satisfies ThreadRound);
    await Promise.all(used.map(next));
    Atomics.store(words, 0, at);
    Atomics.notify(words, 0);
    const answers = (await Promise.all(used.map(next))) as ThreadAnswer[];
    const sum = (rate: (answer: ThreadAnswer) => number) =>
      answers.reduce((all, each) => all + rate(each), 0);
    return {
      elapsed: sum(({ operations, ms: took }) => operations / took),
      running: sum(({ operations, runningMs }) => operations / runningMs),
    };
  };
  const rows: string[][] = [];
  for (const [name, writes] of [
    ['lookups', 0],
    ['9 lookups to a write', 0.1],
    ['writes', 1],
  ] as const) {
    const ratios: { elapsed: number; running: number; one: number }[] = [];
    for (let round = -2; round < rounds; round += 1) {
      const both = round % 2 === 0 ? [1, 2] : [2, 1];
      const rates = new Map<number, Awaited<ReturnType<typeof run>>>();
      for (const count of both) rates.set(count, await run(count, writes));
      const [one, two] = [rates.get(1)!, rates.get(2)!];
      if (round >= 0)
        ratios.push({
          elapsed: two.elapsed / one.elapsed,
          running: two.running / one.running,
          one: one.running,
        });
    }
    rows.push([
      name,
      (1_000 / median(ratios.map(({ one }) => one))).toFixed(2),
      median(ratios.map(({ running }) => running)).toFixed(2),
      median(ratios.map(({ elapsed }) => elapsed)).toFixed(2),
    ]);
  }
  const { bypassedReads, bypassedWrites } = layers.arena.stats();
  printTable({
    title: 'Two threads beside one',
    note: `By time on a processor, which other processes leave alone, and by elapsed time, which they don't. ${bypassedReads} lookups and ${bypassedWrites} writes could not have a lock within 2 ms.`,
    head: ['', 'µs of one', '× by CPU', '× elapsed'],
    rows,
  });
  await Promise.all(threads.map(({ worker }) => worker.terminate()));
  await layers.cache.close();
}
