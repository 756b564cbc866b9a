/** The cost of a key alone. */

import { hash } from 'node:crypto';
import stableStringify from 'fast-json-stable-stringify';
import objectHash from 'object-hash';
import { stringify as safeStableStringify } from 'safe-stable-stringify';
import { hashKey } from '../../src/index.js';
import { createKeyHasher } from '../../src/key/key-hasher.js';
import { named, printTable, timingCells, timingHead } from '../report.js';
import { cpuTime, type Runner, runRounds, settleHeap } from '../rounds.js';
import { largeArgs, reorderedLargeArgs, reorderedSearchArgs, searchArgs, shuffled } from '../workloads.js';
import type { BenchOptions } from './calls.js';

interface KeyContender {
  readonly name: string;
  /** Whether it gives one key whatever the order of fields. */
  readonly isSorted: boolean;
  key(args: unknown): string;
}

const prepared = createKeyHasher('search');
const oursName = 'toolstash (prepared for a method)';

const contenders: readonly KeyContender[] = [
  { name: oursName, isSorted: true, key: (args) => prepared(args) },
  { name: 'toolstash hashKey', isSorted: true, key: (args) => hashKey('search', args) },
  {
    name: 'safe-stable-stringify + md5',
    isSorted: true,
    key: (args) => hash('md5', `search:${safeStableStringify(args)}`),
  },
  {
    name: 'fast-json-stable-stringify + md5',
    isSorted: true,
    key: (args) => hash('md5', `search:${stableStringify(args)}`),
  },
  {
    name: 'object-hash (md5)',
    isSorted: true,
    key: (args) => objectHash({ method: 'search', args }, { algorithm: 'md5' }),
  },
  {
    name: 'JSON.stringify + md5',
    isSorted: false,
    key: (args) => hash('md5', `search:${JSON.stringify(args)}`),
  },
  { name: 'JSON.stringify', isSorted: false, key: (args) => `search:${JSON.stringify(args)}` },
];

interface ArgumentSize {
  readonly label: string;
  make(n: number): unknown;
  /** The same argument with its fields in another order. */
  reordered(n: number): unknown;
  readonly keysARound: number;
}

const sizes: readonly ArgumentSize[] = [
  { label: 'small argument', make: searchArgs, reordered: reorderedSearchArgs, keysARound: 3000 },
  { label: '4 KB argument', make: largeArgs, reordered: reorderedLargeArgs, keysARound: 200 },
];

/** Times keys of fresh argument objects, small and large. */
export async function benchKeys({ isQuick, random }: BenchOptions): Promise<void> {
  for (const { label, make, reordered, keysARound } of sizes) {
    for (const contender of contenders) check(contender, make, reordered);
    const count = isQuick ? keysARound / 10 : keysARound;
    const runners = contenders.map(({ name, key }): Runner => {
      return {
        name,
        run(round) {
          const numbers = shuffled(
            Array.from({ length: count }, (_, n) => n + 7 * (round + 10)),
            random,
          );
          const args = numbers.map(make);
          let length = 0;
          settleHeap();
          const started = cpuTime();
          for (const each of args) length += key(each).length;
          const nanoseconds = (cpuTime() - started) / count;
          if (length < 32 * count) throw new Error(`${name}: a key is too short`);
          return nanoseconds;
        },
      };
    });
    const samples = await runRounds({ runners, rounds: isQuick ? 3 : 15, warmUps: isQuick ? 1 : 4, random });
    const bytes = JSON.stringify(make(1)).length;
    const ours = named(samples, oursName);
    printTable({
      title: `A key: ${label} (${bytes} bytes of JSON)`,
      head: ['contender', ...timingHead('toolstash'), 'field order'],
      rows: samples.map((each, i) => [
        each.name,
        ...timingCells(each, ours),
        contenders[i]?.isSorted ? 'free' : 'counts',
      ]),
    });
  }
}

function check(
  { name, key, isSorted }: KeyContender,
  make: (n: number) => unknown,
  reordered: (n: number) => unknown,
): void {
  const known = key(make(1));
  if (key(make(1)) !== known) throw new Error(`${name}: two keys for one argument`);
  if ((key(reordered(1)) === known) !== isSorted) throw new Error(`${name}: field order is not as stated`);
  const keys = new Set(Array.from({ length: 2000 }, (_, n) => key(make(n))));
  if (keys.size !== 2000) throw new Error(`${name}: one key for two arguments`);
}
