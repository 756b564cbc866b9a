/** An arena beside lmdb, which threads share as well: lookups and writes of 1 KB, by CPU time of all threads. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { open } from 'lmdb';
import { hashKey } from '../../src/index.js';
import { microseconds, named, printTable } from '../report.js';
import { cpuTime, median, type Runner, ratioTo, runRounds, settleHeap } from '../rounds.js';
import { seededRandom } from '../workloads.js';
import { Layers } from './tier.js';
import { bytesOf, pageOf, textOf, valueBytes } from './values.js';

const methods = ['text', 'page', 'bytes'] as const;
type Method = (typeof methods)[number];
const makers = { text: textOf, page: pageOf, bytes: bytesOf };

/** Entries of each method. */
const entriesOf: Readonly<Record<Method, number>> = { text: 200_000, page: 50_000, bytes: 50_000 };
const reads = 20_000;
const writes = 5_000;

/** One lookup or write. What a lookup finds is looked at as little as tells that there is something. */
type Operation = (call: Call, value: unknown) => unknown;

interface Call {
  readonly params: { readonly id: number };
  readonly key: string;
}

/** Runs the comparison, and prints it. */
export async function besideLmdb(seed: number, rounds: number): Promise<void> {
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));
  const store = open<unknown, string>({ path: folder, noSync: true, noMemInit: true });
  const layers = Layers.create({ maxBytes: 2 ** 29, maxSize: 500_000 });
  const written = Layers.create({ maxBytes: 2 ** 29, maxSize: 500_000 });
  const { cache } = layers;
  const callOf = (method: Method, id: number): Call => ({ params: { id }, key: hashKey(method, { id }) });
  try {
    for (const method of methods) {
      for (let id = 0; id < entriesOf[method]; id += 1) {
        const value = makers[method](id);
        void store.put(hashKey(method, { id }), value);
        cache.setSync(method, { id }, value);
        if (id % 5_000 === 0) await store.committed;
      }
      await store.committed;
    }
    const handles = { text: cache.method('text'), page: cache.method('page'), bytes: cache.method('bytes') };
    const readers = (method: Method): Record<string, Operation> => ({
      'lmdb.get(key)': ({ key }) => store.get(key),
      'arena, get(key)': ({ key }) => layers.get(key),
      'lmdb.get(hashKey(call))': ({ params }) => store.get(hashKey(method, params)),
      'cache.getSync(call)': ({ params }) => handles[method].getSync(params),
    });
    const lengths: Record<string, Operation> = {
      'lmdb.getBinaryFast(key)': ({ key }) => store.getBinaryFast(key)?.length,
      'arena, bytes that the next read overwrites': ({ key }) => layers.getFast(key),
      'lmdb.getBinary(key)': ({ key }) => store.getBinary(key)?.length,
      'arena, bytes of an entry': ({ key }) => layers.getBytes(key)?.byteLength,
    };
    const check = async (method: Method, read: Operation, name: string) => {
      for (let times = 0; times < 1_000; times += 1) {
        const id = Math.floor(random() * entriesOf[method]);
        if (!isDeepStrictEqual(await read(callOf(method, id), undefined), makers[method](id)))
          throw new Error(`${name} answered ${method} ${id} wrongly`);
      }
      if ((await read(callOf(method, entriesOf[method]), undefined)) !== undefined)
        throw new Error(`${name} found what was never stored`);
    };
    for (const method of methods)
      for (const [name, read] of Object.entries(readers(method))) await check(method, read, name);
    /** Times operations, each of a call of its own. */
    const runner = (name: string, method: Method, { operation, count, settle }: Timed): Runner => ({
      name,
      async run() {
        const calls = Array.from({ length: count }, () =>
          callOf(method, Math.floor(random() * entriesOf[method])),
        );
        const values = calls.map(({ params }) => settle && makers[method](params.id));
        settleHeap();
        const begun = cpuTime();
        let missing = 0;
        for (let at = 0; at < count; at += 1) if (!operation(calls[at]!, values[at])) missing += 1;
        await settle?.();
        const time = (cpuTime() - begun) / count;
        if (missing > 0) throw new Error(`${name} went without ${missing} answers`);
        return time;
      },
    });
    const compare = async (
      title: string,
      method: Method,
      { operations, count, settle, pairs }: Comparison,
    ): Promise<void> => {
      const runners = Object.entries(operations).map(([name, operation]) =>
        runner(name, method, { operation, count, settle }),
      );
      const samples = await runRounds({ runners, rounds, warmUps: 3, random });
      const rows = pairs.map(([ours, theirs]) => [
        `${ours} / ${theirs}`,
        microseconds(median(named(samples, ours).nanoseconds)),
        microseconds(median(named(samples, theirs).nanoseconds)),
        ratioTo(named(samples, ours), named(samples, theirs)).toFixed(2),
      ]);
      printTable({ title, head: ['ours / lmdb', 'ours µs', 'lmdb µs', '× as fast'], rows });
    };
    const decoded = [
      ['arena, get(key)', 'lmdb.get(key)'],
      ['cache.getSync(call)', 'lmdb.get(hashKey(call))'],
      ['cache.getSync(call)', 'lmdb.get(key)'],
    ] as const;
    for (const method of methods) {
      const title = `Lookups of ${method === 'page' ? 'records' : method} of 1 KB, decoded`;
      await compare(title, method, { operations: readers(method), count: reads, pairs: decoded });
    }
    await compare('Lookups of records of 1 KB, as encoded bytes', 'page', {
      operations: lengths,
      count: reads,
      pairs: [
        ['arena, bytes that the next read overwrites', 'lmdb.getBinaryFast(key)'],
        ['arena, bytes of an entry', 'lmdb.getBinaryFast(key)'],
        ['arena, bytes of an entry', 'lmdb.getBinary(key)'],
      ],
    });
    // As often as it takes until what is timed lies where others have lain: before, the system hands out memory as it is used.
    for (let times = 0; times < 5 * entriesOf.text; times += 1) {
      const id = times < entriesOf.text ? times : Math.floor(random() * entriesOf.text);
      written.cache.setSync('text', { id }, textOf(id));
    }
    const handle = written.cache.method('text');
    const writers: Record<string, Operation> = {
      'lmdb.put(key)': ({ key }, value) => store.put(key, value) !== undefined,
      'arena, set(key)': ({ key }, value) => written.set(key, 'text', value),
      'lmdb.put(hashKey(call))': ({ params }, value) =>
        store.put(hashKey('text', params), value) !== undefined,
      'cache.setSync(call)': ({ params }, value) => handle.setSync(params, value),
    };
    await compare(`Writes of ${valueBytes} bytes of text over others`, 'text', {
      operations: writers,
      count: writes,
      settle: () => store.committed,
      pairs: [
        ['arena, set(key)', 'lmdb.put(key)'],
        ['cache.setSync(call)', 'lmdb.put(hashKey(call))'],
        ['cache.setSync(call)', 'lmdb.put(key)'],
      ],
    });
    for (let id = 0; id < 1_000; id += 1)
      if (handle.getSync({ id }) !== textOf(id)) throw new Error(`What was written of ${id} is not there`);
    for (const method of methods)
      for (const [name, read] of Object.entries(readers(method))) await check(method, read, name);
  } finally {
    await Promise.all([cache.close(), written.cache.close()]);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Timed {
  readonly operation: Operation;
  readonly count: number;
  /** For writes: waits until all are done. */
  readonly settle?: (() => Promise<unknown>) | undefined;
}

interface Comparison extends Omit<Timed, 'operation'> {
  readonly operations: Record<string, Operation>;
  /** Ours, and what it is compared with. */
  readonly pairs: readonly (readonly [ours: string, theirs: string])[];
}
