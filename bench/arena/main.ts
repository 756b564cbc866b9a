/** An arena beside lru-cache and lmdb: `node --expose-gc bench/dist/arena.js [memory] [pauses] [lmdb] [threads]` */

import { type ChildProcess, fork } from 'node:child_process';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { printTable, runLine } from '../report.js';
import type { ChurnAnswer, ChurnRequest } from './churn.js';
import { besideLmdb } from './lmdb.js';
import { twoThreads } from './threads.js';

const seed = 1;
const sections = process.argv.slice(2);
const began = performance.now();
const isWanted = (section: string) => sections.length === 0 || sections.includes(section);
const names = ['arena', 'lru-cache'];

/** Of each store, in slices by turns. */
const churnMs = 60_000;
const sliceMs = 5_000;

console.log(`${runLine(seed)} · load ${load()}`);
if (isWanted('memory') || isWanted('pauses')) await stores();
if (isWanted('lmdb')) await besideLmdb(seed, 15);
if (isWanted('threads')) await twoThreads(7);
console.log(`\nLoad in the end: ${load()}, after ${((performance.now() - began) / 1_000).toFixed(0)} s`);

async function stores(): Promise<void> {
  const file = fileURLToPath(new URL('arena-churn.js', import.meta.url));
  const children = new Map(names.map((name) => [name, fork(file, [name], { execArgv: [] })]));
  const filled = new Map<string, ChurnAnswer>();
  for (const [name, child] of children) filled.set(name, await ask(child, { kind: 'fill' }));
  printTable({
    title: 'A million values of 1,000 bytes of text',
    note: 'What a process of its own has grown by from before it made its store, all told.',
    head: ['', 'entries', 'bytes of RSS each', 'CPU µs each'],
    rows: [...filled].map(([name, { entries, grown, cpu }]) => [
      name,
      entries.toLocaleString('en'),
      (grown / entries).toFixed(0),
      ((cpu * 1e6) / entries).toFixed(1),
    ]),
  });
  if (isWanted('pauses')) await pauses(children);
  for (const child of children.values()) child.disconnect();
}

async function pauses(children: ReadonlyMap<string, ChildProcess>): Promise<void> {
  const slices = new Map<string, ChurnAnswer[]>(names.map((name) => [name, []]));
  for (let spent = 0; spent < churnMs; spent += sliceMs)
    for (const [name, child] of children)
      slices.get(name)!.push(await ask(child, { kind: 'churn', ms: sliceMs }));
  const longest = (of: keyof ChurnAnswer) =>
    names.map((name) => Math.max(...slices.get(name)!.map((slice) => slice[of])));
  const [running, elapsed] = [longest('longestRunning'), longest('longest')];
  printTable({
    title: 'Longest batch of 100 sets and lookups in 60 s of churn at a million entries',
    note: 'By turns of 5 s, less what a batch waited for a core, and all told.',
    head: ['', 'ms', 'ms with waits', 'batches', 'CPU µs of a set and a lookup'],
    rows: names.map((name, at) => {
      const batches = slices.get(name)!.reduce((sum, each) => sum + each.batches, 0);
      const cpu = slices.get(name)!.reduce((sum, each) => sum + each.cpu, 0);
      return [
        name,
        running[at]!.toFixed(1),
        elapsed[at]!.toFixed(1),
        batches.toLocaleString('en'),
        ((cpu * 1e6) / (batches * 100)).toFixed(1),
      ];
    }),
  });
  console.log(
    `\nThe arena's longest is 1/${(running[1]! / running[0]!).toFixed(1)} of lru-cache's; with waits 1/${(elapsed[1]! / elapsed[0]!).toFixed(1)}.`,
  );
}

function ask(child: ChildProcess, request: ChurnRequest): Promise<ChurnAnswer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`A store's process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.off('exit', ended);
      resolve(answer as ChurnAnswer);
    });
    child.send(request);
  });
}

function load(): string {
  return loadavg()[0]!.toFixed(1);
}
