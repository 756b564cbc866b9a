/** The cost of a cached call: a hit, and 64 calls of one key at once. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { named, printTable, timingCells, timingHead } from '../report.js';
import { cpuTime, type Runner, runRounds, type Samples, settleHeap } from '../rounds.js';
import { type Random, reorderedSearchArgs, searchArgs, searchResult, uniformNumbers } from '../workloads.js';
import { baselineName, type CachedTool, type CallContender, callContenders } from './call-contenders.js';

export interface BenchOptions {
  readonly isQuick: boolean;
  readonly random: Random;
}

/** How many different calls are cached. */
const distinctCalls = 1000;

/** What is known of a contender before it is timed. */
interface Checked {
  readonly name: string;
  readonly cached: CachedTool;
  /** Whether hits share one object rather than being given a copy each. */
  readonly sharesValues: boolean;
  /** Whether the order of an argument's fields makes no difference. */
  readonly isSorted: boolean;
  /** How often the tool has run. */
  readonly runs: () => number;
}

/** Times hits on a thousand different calls, argument objects made afresh and in random order. */
export async function benchHits({ isQuick, random }: BenchOptions): Promise<void> {
  const contenders: Checked[] = [];
  for (const contender of callContenders) contenders.push(await check(contender));
  const callsARound = isQuick ? 1000 : 10_000;
  const runners = contenders.map((contender): Runner => {
    const before = contender.runs();
    return {
      name: contender.name,
      async run() {
        const args = Array.from(uniformNumbers(callsARound, distinctCalls, random), searchArgs);
        const nanoseconds = await timeCalls(contender.cached, args);
        if (contender.runs() !== before)
          throw new Error(`${contender.name} ran the tool while hits were timed`);
        return nanoseconds;
      },
    };
  });
  const samples = await runRounds({ runners, rounds: isQuick ? 3 : 21, warmUps: isQuick ? 1 : 4, random });
  const baseline = named(samples, baselineName);
  for (const sharesValues of [true, false]) {
    printTable({
      title: `A cached call: hits that ${sharesValues ? 'share one object' : 'are copies'}`,
      note: 'An argument of 5 fields, some nested; 1000 different calls; a result of about 300 bytes.',
      head: ['contender', ...timingHead(baselineName), 'field order'],
      rows: rowsOf(samples, contenders, sharesValues, baseline),
    });
  }
  for (const { cached } of contenders) await cached.close?.();
}

function rowsOf(
  samples: readonly Samples[],
  contenders: readonly Checked[],
  sharesValues: boolean,
  baseline: Samples,
): string[][] {
  return contenders
    .filter((each) => each.sharesValues === sharesValues || each.name === baseline.name)
    .map((each) => ({ each, own: named(samples, each.name) }))
    .map(({ each, own }) => [
      each.name + (each.sharesValues === sharesValues ? '' : ' (shares)'),
      ...timingCells(own, baseline),
      each.isSorted ? 'free' : 'counts',
    ]);
}

async function timeCalls(cached: CachedTool, args: ReturnType<typeof searchArgs>[]): Promise<number> {
  const { call } = cached;
  settleHeap();
  const started = cpuTime();
  for (const each of args) await call(each);
  return (cpuTime() - started) / args.length;
}

/** Fills a contender and makes sure that its answers are right, that it tells calls apart, and that it caches. */
async function check(contender: CallContender): Promise<Checked> {
  let runs = 0;
  const cached = contender.create(async (args) => {
    runs++;
    await nextTurn();
    return searchResult(Number(args.customer.slice(2)));
  });
  const verify = (isRight: boolean, what: string) => {
    if (!isRight) throw new Error(`${contender.name}: ${what}`);
  };
  for (const pass of [1, 2]) {
    for (let n = 0; n < distinctCalls; n++) {
      verify(
        isDeepStrictEqual(await cached.call(searchArgs(n)), searchResult(n)),
        `wrong answer, pass ${pass}`,
      );
    }
    verify(
      runs === distinctCalls,
      `${runs} runs of the tool for ${distinctCalls} different calls, pass ${pass}`,
    );
  }
  const answer = await cached.call(searchArgs(1));
  const sharesValues = (await cached.call(searchArgs(1))) === answer;
  const reordered = await cached.call(reorderedSearchArgs(1));
  verify(isDeepStrictEqual(reordered, searchResult(1)), 'wrong answer for reordered fields');
  return { name: contender.name, cached, sharesValues, isSorted: runs === distinctCalls, runs: () => runs };
}

/** Times 64 calls of one new key at once, while the tool takes one turn of the event loop. */
export async function benchCoalescing({ isQuick, random }: BenchOptions): Promise<void> {
  const callers = 64;
  const rounds = isQuick ? 3 : 21;
  const batches = isQuick ? 3 : 20;
  let n = 0;
  const perBatch = new Map<string, number>();
  const caches: CachedTool[] = [];
  const runners = callContenders.map((contender): Runner => {
    let runs = 0;
    const cached = contender.create(async (args) => {
      runs++;
      await nextTurn();
      return searchResult(Number(args.customer.slice(2)));
    });
    caches.push(cached);
    return {
      name: contender.name,
      async run() {
        const runsBefore = runs;
        let nanoseconds = 0;
        for (let batch = 0; batch < batches; batch++) {
          const number = ++n;
          const args = Array.from({ length: callers }, () => searchArgs(number));
          settleHeap();
          const started = cpuTime();
          const answers = await Promise.all(args.map((each) => cached.call(each)));
          nanoseconds += cpuTime() - started;
          if (!answers.every((answer) => isDeepStrictEqual(answer, searchResult(number))))
            throw new Error(`${contender.name}: wrong answer for one of ${callers} calls at once`);
        }
        perBatch.set(contender.name, (runs - runsBefore) / batches);
        return nanoseconds / batches;
      },
    };
  });
  const samples = await runRounds({ runners, rounds, warmUps: 2, random });
  const baseline = named(samples, baselineName);
  printTable({
    title: `${callers} calls of one key at once, a miss`,
    note: 'Time for all of them; the tool takes one turn of the event loop.',
    head: ['contender', ...timingHead(baselineName), 'tool runs'],
    rows: samples.map((each) => [
      each.name,
      ...timingCells(each, baseline),
      (perBatch.get(each.name) ?? Number.NaN).toString(),
    ]),
  });
  for (const cached of caches) await cached.close?.();
}
