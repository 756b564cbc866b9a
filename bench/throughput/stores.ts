/** Raw stores: each contender in a process of its own, one process at a time, in interleaved rounds. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { printTable } from '../report.js';
import { median, quantile } from '../rounds.js';
import { shuffled } from '../workloads.js';
import type { BenchOptions } from './calls.js';
import type { StoreFigures, StoreJob } from './store-child.js';
import { policyContenders, type StoreContender, storeContenders } from './store-contenders.js';

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

/** Times what all policies take beside lru-cache, by the ratios within rounds. */
export async function benchPolicies({ isQuick, random }: BenchOptions): Promise<void> {
  for (const maxSize of isQuick ? [1000] : [1000, 10_000, 100_000]) {
    const figures = await runPolicies(maxSize, isQuick, random);
    const ratio = (name: string, field: 'hit' | 'insert' | 'mix') => {
      const ratios = figures.map((each) => each.get(name)![field] / each.get('lru-cache')![field]);
      const [low, middle, high] = [0, 0.5, 1].map((share) => quantile(ratios, share).toFixed(2));
      return `${middle} (${low}–${high})`;
    };
    printTable({
      title: `Policies at ${maxSize.toLocaleString('en')} entries`,
      note: `Times lru-cache: median and range of the ratios within ${figures.length} rounds.`,
      head: ['store', 'hit', 'insert', 'Zipf mix', 'hit rate'],
      rows: policyContenders.map(({ name }) => [
        name,
        ...(['hit', 'insert', 'mix'] as const).map((field) => ratio(name, field)),
        `${(100 * median(figures.map((each) => each.get(name)!.hitRate))).toFixed(1)} %`,
      ]),
    });
  }
}

async function runPolicies(maxSize: number, isQuick: boolean, random: () => number) {
  const rounds: Map<string, StoreFigures>[] = [];
  for (let round = 0; round < (isQuick ? 1 : 7); round++) {
    const figures = new Map<string, StoreFigures>();
    const seed = Math.floor(random() * 2 ** 31);
    for (const { name } of shuffled(policyContenders, random)) {
      const job = { name, maxSize, seed, batches: isQuick ? 2 : 5, batchSize: isQuick ? 5000 : 50_000 };
      figures.set(name, await runChild(job));
    }
    rounds.push(figures);
  }
  return rounds;
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
