/** What sharing a folder costs: pulls, consolidation, and lookups meanwhile: `node bench/dist/persistence-sync.js` */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import { type DiskOptions, resolveDiskOptions } from '../../src/persistence/disk-options.js';
import { DiskTier } from '../../src/persistence/disk-tier.js';
import { StampClock } from '../../src/stamp.js';
import { MsgpackWriter } from '../../src/value/msgpack/writer.js';
import { printTable, runLine } from '../report.js';

const rounds = 7;
const work = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));
let writers = 0;

interface Node {
  readonly tier: DiskTier;
  write(method: string, number: number): void;
}

function makeNode(folder: string, options: DiskOptions = {}): Node {
  writers += 1;
  const writer = writers.toString(16).padStart(16, '0');
  const stamps = new StampClock(systemClock, writer);
  const tier = new DiskTier({
    options: resolveDiskOptions({
      persistDir: folder,
      mode: 'multi',
      syncInterval: '1h',
      consolidateInterval: null,
      flushInterval: '1h',
      flushOnExit: false,
      ...options,
    }),
    clock: systemClock,
    writer,
    onError: (error) => {
      throw error;
    },
    onStamp: (stamp) => stamps.observe(stamp),
  });
  return {
    tier,
    write(method, number) {
      const now = Date.now();
      const metadata = {
        createdAt: now,
        staleAt: null,
        expiresAt: null,
        accessCount: 0,
        lastAccess: now,
        loadMs: 0,
      };
      tier.write({
        key: keyOf(method, number),
        method,
        metadata,
        stamp: stamps.next(),
        encoded: value(number),
      });
    },
  };
}

function keyOf(method: string, number: number): string {
  return createHash('md5').update(`${method}:${number}`).digest('hex');
}

/** About 1 KB that compresses by half, as JSON does. */
function value(number: number): Uint8Array {
  let text = '';
  for (let part = 0; text.length < 1_000; part += 1) {
    text += createHash('sha1').update(`${number} ${part}`).digest('hex');
  }
  const bytes = new MsgpackWriter();
  bytes.string(text);
  return bytes.take();
}

function at(times: number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function pulls(): Promise<void> {
  const rows: string[][] = [];
  for (const files of [10, 100, 1_000]) {
    const folder = join(work, `pull-${files}`);
    // 256 files at most stay open in one writer, so that appends make no new files.
    const many = Array.from({ length: Math.ceil(files / 200) }, () => makeNode(folder));
    const methods = Array.from({ length: files }, (_, number) => `method-${number}`);
    const writerOf = (number: number) => many[number % many.length]!;
    for (const [number, method] of methods.entries()) writerOf(number).write(method, 0);
    for (const node of many) await node.tier.flush();
    const reader = makeNode(folder);
    await reader.tier.open();
    let written = 1;
    for (const members of [0, 10, 100]) {
      if (members > files) continue;
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        for (let number = 0; number < members; number += 1) writerOf(number).write(methods[number]!, written);
        for (const node of many) await node.tier.flush();
        const start = performance.now();
        await reader.tier.load();
        times.push(performance.now() - start);
        for (let number = 0; number < members; number += 1) {
          const found = await reader.tier.lookup(keyOf(methods[number]!, written), methods[number]!);
          if (found === undefined) throw new Error('An entry was not pulled');
        }
        written += 1;
      }
      rows.push([String(files), String(members), at(times, 0.5).toFixed(1)]);
    }
    for (const { tier } of [...many, reader]) await tier.close();
  }
  printTable({
    title: 'A pull',
    note: `Median of ${rounds}; what was pulled is looked up before it counts.`,
    head: ['files', 'new members', 'ms'],
    rows,
  });
}

async function amplification(): Promise<void> {
  const rows: string[][] = [];
  for (const every of [1, 5, 20]) {
    const folder = join(work, `amplification-${every}`);
    let appended = 0;
    let rewritten = 0;
    let read = 0;
    for (let batch = 1; batch <= 20; batch += 1) {
      const node = makeNode(folder, { mode: 'single' });
      // A quarter overwrites what was there.
      for (let entry = 0; entry < 500; entry += 1) {
        const isOld = entry % 4 === 0 && batch > 1;
        node.write('search', isOld ? entry : batch * 1_000 + entry);
      }
      await node.tier.flush();
      appended += node.tier.counters.writtenBytes;
      if (batch % every === 0) {
        const report = await node.tier.consolidate();
        rewritten += report.writtenBytes;
        read += report.readBytes;
      }
      await node.tier.close();
    }
    const factor = (appended + rewritten) / appended;
    rows.push([String(every), megabytes(appended), megabytes(read), megabytes(rewritten), factor.toFixed(1)]);
  }
  printTable({
    title: 'Write amplification of `consolidate()`, which merges all there is',
    note: '20 processes one after another, 500 entries of 1 KB each, a quarter of them overwriting.',
    head: ['every … processes', 'appended MB', 'read MB', 'rewritten MB', 'factor'],
    rows,
  });
}

async function lookups(): Promise<void> {
  const folder = join(work, 'lookups');
  const entries = 40_000;
  const files = 40;
  for (let file = 0; file < files; file += 1) {
    const node = makeNode(folder, { mode: 'single' });
    for (let entry = file; entry < entries; entry += files) node.write('search', entry);
    await node.tier.close();
  }
  const node = makeNode(folder, { mode: 'single' });
  await node.tier.open();
  const look = async (isDone: () => boolean) => {
    const times: number[] = [];
    for (let number = 1; !isDone(); number = (number * 7_919 + 1) % entries) {
      const start = performance.now();
      const found = await node.tier.lookup(keyOf('search', number), 'search');
      times.push(performance.now() - start);
      if (found === undefined) throw new Error(`Entry ${number} was missed`);
    }
    return times;
  };
  let left = 3_000;
  const alone = await look(() => --left < 0);
  let isOver = false;
  const start = performance.now();
  const consolidating = node.tier.consolidate().finally(() => {
    isOver = true;
  });
  const meanwhile = await look(() => isOver);
  const report = await consolidating;
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  await node.tier.close();
  const row = (name: string, times: number[]) =>
    [name, times.length, at(times, 0.5).toFixed(2), at(times, 0.99).toFixed(1), at(times, 1).toFixed(1)].map(
      String,
    );
  printTable({
    title: `Lookups on disk while ${report.readFiles} files of ${megabytes(report.readBytes)} MB become one, in ${seconds} s`,
    note: 'Every lookup has to find its entry.',
    head: ['', 'lookups', 'median ms', 'p99 ms', 'longest ms'],
    rows: [row('alone', alone), row('meanwhile', meanwhile)],
  });
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

try {
  console.log(runLine(rounds));
  await pulls();
  await amplification();
  await lookups();
} finally {
  rmSync(work, { recursive: true, force: true });
}
