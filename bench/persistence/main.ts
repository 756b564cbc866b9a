/** Caches on disk beside each other: `node bench/dist/persistence.js [1m|100k|small]…` */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printTable, runLine } from '../report.js';
import { contenders, folderName, smallOnly } from './contenders.js';

const workloads: Readonly<Record<string, { entries: number; bytes: number }>> = {
  '1m': { entries: 1_000_000, bytes: 1_000 },
  '100k': { entries: 100_000, bytes: 5_000 },
  small: { entries: 10_000, bytes: 2_000 },
};

const names = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));
const child = fileURLToPath(new URL('persistence-child.js', import.meta.url));

try {
  console.log(runLine(7));
  for (const name of names.length > 0 ? names : ['1m', '100k', 'small']) runWorkload(name);
  runDelays();
} finally {
  rmSync(work, { recursive: true, force: true });
}

function runWorkload(name: string): void {
  const { entries, bytes } = workloads[name]!;
  const rows: string[][] = [];
  for (const contender of Object.keys(contenders)) {
    if (name !== 'small' && smallOnly.has(contender)) continue;
    const folder = join(work, folderName(contender, entries));
    mkdirSync(folder);
    const step = (kind: string) => run([kind, contender, folder, String(entries), String(bytes)]);
    let write: Record<string, number>;
    try {
      write = step('write');
    } catch (error) {
      // A native peer that is not built on this machine is missing, and said to be.
      console.log(`${contender} could not run: ${(error as Error).message.split('\n')[0]}`);
      continue;
    }
    // Opened three times, the median counts: the first reads what the system has just forgotten or not.
    const opens = [step('open'), step('open'), step('open')].sort((one, other) => one['ms']! - other['ms']!);
    const open = opens[1]!;
    const load = step('load');
    const lookup = step('lookup');
    rows.push([
      contender,
      seconds(write),
      (folderBytes(folder) / 1e6).toFixed(0),
      `${open['ms']!.toFixed(0)} (${open['cpuMs']!.toFixed(0)})`,
      (open['peak']! / 1e6).toFixed(0),
      seconds(load),
      `${lookup['us']!.toFixed(0)} (${lookup['cpuUs']!.toFixed(0)})`,
      (write['peak']! / 1e6).toFixed(0),
    ]);
    rmSync(folder, { recursive: true, force: true });
  }
  printTable({
    title: `${entries.toLocaleString('en')} entries of ${bytes.toLocaleString('en')} bytes`,
    note: 'In parentheses CPU time of all threads, which other processes hardly change. Every answer is compared before it counts. Memory is the peak of the process, Node itself included.',
    head: ['', 'write s', 'disk MB', 'first hit ms', 'MB then', 'load all s', 'lookup µs', 'MB writing'],
    rows,
  });
}

/** Elapsed time, and CPU time in parentheses. */
function seconds(step: Record<string, number>): string {
  return `${(step['ms']! / 1_000).toFixed(1)} (${(step['cpuMs']! / 1_000).toFixed(1)})`;
}

function runDelays(): void {
  const rows: string[][] = [];
  for (let round = 0; round < 3; round += 1) {
    for (const contender of ['nothing', 'toolstash']) {
      const folder = join(work, `delay-${contender}-${round}`);
      mkdirSync(folder);
      const { p99, max } = run(['delay', contender, folder, '0', '1000']);
      rows.push([`${contender}, round ${round + 1}`, p99!.toFixed(1), max!.toFixed(1)]);
    }
  }
  printTable({
    title: 'Event-loop delay at 5,000 sets of 1 KB a second',
    note: 'Beside the same process that writes nothing.',
    head: ['', 'p99 ms', 'max ms'],
    rows,
  });
}

function run(args: readonly string[]): Record<string, number> {
  const output = execFileSync(process.execPath, [child, ...args], { encoding: 'utf8', maxBuffer: 1e8 });
  return JSON.parse(output) as Record<string, number>;
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    // What a file takes, not what it claims: lmdb's is sparse.
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512;
  }
  return bytes;
}
