/** The cost of a hit with larger arguments, near-duplicates of them, and larger results. */

import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import { CacheManager } from '../../src/index.js';
import { named, printTable, timingCells, timingHead } from '../report.js';
import { cpuTime, type Runner, runRounds, settleHeap } from '../rounds.js';
import {
  codeArgs,
  nearDuplicateArgs,
  searchArgs,
  searchResult,
  textResult,
  uniformNumbers,
} from '../workloads.js';
import type { BenchOptions } from './calls.js';

type Call = (args: object) => Promise<unknown>;

interface Workload {
  readonly title: string;
  readonly note: string;
  readonly baseline: string;
  /** How many different calls there are, and how many are timed in a round. */
  readonly distinct: number;
  readonly calls: number;
  args(n: number): object;
  result(n: number): unknown;
}

interface Contender {
  readonly name: string;
  create(tool: (args: object) => Promise<unknown>): Call;
}

const capacity = 10_000;
const caches: CacheManager[] = [];

const peer: Contender = {
  name: 'lru-cache.fetch',
  create(tool) {
    const cache = new LRUCache<string, { value: unknown }, object>({
      max: capacity,
      fetchMethod: async (_key, _stale, { context }) => ({ value: await tool(context) }),
    });
    return async (args) => (await cache.fetch(JSON.stringify(args), { context: args }))?.value;
  },
};

/** What is ignored is compared by nobody: each call goes the canonical road. */
const canonicalName = 'toolstash wrap, reference, canonical road';

const contenders: readonly Contender[] = [
  ours('toolstash wrap, reference', 'reference'),
  ours('toolstash wrap, copy', 'copy'),
  ours(canonicalName, 'reference', ['no such argument']),
  peer,
];

function ours(name: string, values: 'copy' | 'reference', ignore: readonly string[] = []): Contender {
  return {
    name,
    create(tool) {
      const cache = new CacheManager({ maxSize: capacity, values });
      caches.push(cache);
      return cache.wrap(tool, { name: 'search', ignore });
    },
  };
}

const workloads: readonly Workload[] = [
  {
    title: 'A cached call: an argument with a 4 KB program in it',
    note: '1000 different programs; a result of about 300 bytes.',
    baseline: peer.name,
    distinct: 1000,
    calls: 2000,
    args: codeArgs,
    result: searchResult,
  },
  {
    title: 'A cached call: 64 near-duplicates of an argument with a 4 KB program in it',
    note: 'They differ in one character, each in another place, so that a hash of samples rarely tells them apart.',
    baseline: canonicalName,
    distinct: 64,
    calls: 2000,
    args: nearDuplicateArgs,
    result: searchResult,
  },
  ...[5_000, 80_000].map(
    (bytes): Workload => ({
      title: `A cached call: a result of ${bytes / 1000} KB of text`,
      note: "An argument of 5 fields; `{ content: [{ type: 'text', text }] }`; 100 different calls.",
      baseline: peer.name,
      distinct: 100,
      calls: 1000,
      args: searchArgs,
      result: (n) => textResult(n, bytes),
    }),
  ),
];

/** Times hits, argument objects made afresh and in random order. */
export async function benchSizes(options: BenchOptions): Promise<void> {
  for (const workload of workloads) await benchWorkload(workload, options);
  for (const cache of caches) await cache.close();
}

async function benchWorkload(workload: Workload, { isQuick, random }: BenchOptions): Promise<void> {
  const { title, note, distinct, args, result } = workload;
  const numberOf = new Map(Array.from({ length: distinct }, (_, n) => [JSON.stringify(args(n)), n]));
  if (numberOf.size !== distinct) throw new Error(`${title}: two arguments are the same`);
  const calls = isQuick ? workload.calls / 10 : workload.calls;
  const runners: Runner[] = [];
  for (const { name, create } of contenders) {
    let runs = 0;
    const call = create(async (given) => {
      runs++;
      return result(numberOf.get(JSON.stringify(given)) ?? -1);
    });
    for (const pass of [1, 2]) {
      for (let n = 0; n < distinct; n++) {
        const isRight = isDeepStrictEqual(await call(args(n)), result(n));
        if (!isRight) throw new Error(`${name}: wrong answer, pass ${pass}`);
      }
    }
    if (runs !== distinct)
      throw new Error(`${name}: ${runs} runs of the tool for ${distinct} different calls`);
    runners.push({
      name,
      async run() {
        const given = Array.from(uniformNumbers(calls, distinct, random), args);
        settleHeap();
        const started = cpuTime();
        for (const each of given) await call(each);
        const nanoseconds = (cpuTime() - started) / calls;
        if (runs !== distinct) throw new Error(`${name} ran the tool while hits were timed`);
        return nanoseconds;
      },
    });
  }
  const samples = await runRounds({ runners, rounds: isQuick ? 3 : 21, warmUps: isQuick ? 1 : 4, random });
  const baseline = named(samples, workload.baseline);
  printTable({
    title,
    note,
    head: ['contender', ...timingHead(workload.baseline)],
    rows: samples.map((each) => [each.name, ...timingCells(each, baseline)]),
  });
}
