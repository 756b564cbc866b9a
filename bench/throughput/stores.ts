/** Raw stores: each contender in a process of its own, one process at a time, in interleaved rounds. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { printTable } from '../report.js';
import { median } from '../rounds.js';
import { shuffled } from '../workloads.js';
import type { BenchOptions } from './calls.js';
import type { StoreFigures, StoreJob } from './store-child.js';
import { type StoreContender, storeContenders } from './store-contenders.js';

const childPath = fileURLToPath(new URL('./store-child.js', import.meta.url));
const run = promisify(execFile);

/** Times the stores at three sizes. */
export async function benchStores({ isQuick, random }: BenchOptions): Promise<void> {
  for (const maxSize of isQuick ? [1000] : [1000, 100_000, 1_000_000]) {
    const rounds = isQuick ? 1 : maxSize > 100_000 ? 2 : 3;
    const figures = new Map(storeContenders.map(({ name }) => [name, [] as StoreFigures[]]));
    for (let round = 0; round < rounds; round++) {
      for (const { name } of shuffled(storeContenders, random)) {
        const seed = Math.floor(random() * 2 ** 31);
        const job = { name, maxSize, seed, batches: isQuick ? 2 : 3, batchSize: isQuick ? 5000 : 50_000 };
        figures.get(name)?.push(await runChild(job));
      }
    }
    printStores(maxSize, figures);
  }
}

async function runChild(job: StoreJob): Promise<StoreFigures> {
  const { stdout } = await run(process.execPath, ['--expose-gc', childPath, JSON.stringify(job)]);
  return JSON.parse(stdout);
}

function printStores(maxSize: number, figures: ReadonlyMap<string, readonly StoreFigures[]>): void {
  const of = (contender: StoreContender, field: keyof StoreFigures) =>
    median((figures.get(contender.name) ?? []).map((each) => each[field]));
  const timing = (contender: StoreContender, field: 'hit' | 'insert' | 'mix') => {
    const own = of(contender, field);
    const peers = storeContenders.filter((each) => !each.isOurs && each.policy === contender.policy);
    const fastest = Math.min(...peers.map((each) => of(each, field)));
    return [own.toFixed(0), (own / fastest).toFixed(2)];
  };
  // Fewer entries than this weigh less than what else changes on the heap meanwhile.
  const areWeighed = maxSize >= 10_000;
  printTable({
    title: `Stores of ${maxSize.toLocaleString('en')} entries`,
    note: 'Nanoseconds per operation, and how many times those of the fastest peer of the policy.',
    head: ['store', 'policy', 'hit', '×', 'insert', '×', 'Zipf mix', '×', 'hit rate', 'bytes/entry'],
    rows: storeContenders.map((each) => [
      each.name,
      each.policy,
      ...timing(each, 'hit'),
      ...timing(each, 'insert'),
      ...timing(each, 'mix'),
      `${(100 * of(each, 'hitRate')).toFixed(1)} %`,
      areWeighed ? of(each, 'bytesPerEntry').toFixed(0) : '–',
    ]),
  });
}
