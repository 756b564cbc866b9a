/** 50,000 events of a log in a real file: one by one, and through cached pages. `node bench/source/main.mjs` */

import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from '../../dist/index.js';
import { PagedLog } from '../../dist/source.js';

const count = 50_000;
const folder = await mkdtemp(join(tmpdir(), 'toolstash-log-'));
const file = await open(join(folder, 'events.jsonl'), 'w+');
const lines = Array.from(
  { length: count },
  (_, id) => `${JSON.stringify({ id, kind: 'step', at: 1e12 + id, text: 'x'.repeat(id % 90) })}\n`,
);
await file.writeFile(lines.join(''));
/** Where each event begins. */
const starts = [0];
for (const line of lines) starts.push(starts.at(-1) + Buffer.byteLength(line));

let touched = 0;
async function read(from, limit) {
  touched++;
  if (from >= count) return [];
  const to = Math.min(from + limit, count);
  const bytes = Buffer.alloc(starts[to] - starts[from]);
  await file.read(bytes, 0, bytes.length, starts[from]);
  return bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function oneByOne() {
  let sum = 0;
  for (let at = 0; at < count; at++) sum += (await read(at, 1))[0].id;
  return sum;
}
async function through(log) {
  let sum = 0;
  for await (const event of log.events()) sum += event.id;
  return sum;
}

async function timed(task) {
  touched = 0;
  const began = performance.now();
  const sum = await task();
  if (sum !== (count * (count - 1)) / 2) throw new Error(`Wrong events: ${sum}`);
  return { ms: performance.now() - began, touched };
}

const results = { 'event by event': [], 'pages, cold': [], 'pages, cached': [] };
for (let round = 0; round < 5; round++) {
  const cache = new CacheManager({ maxSize: 10_000 });
  const log = new PagedLog({ cache, method: 'events', read });
  results['event by event'].push(await timed(oneByOne));
  results['pages, cold'].push(await timed(() => through(log)));
  results['pages, cached'].push(await timed(() => through(log)));
  await cache.close();
}
await file.close();
await rm(folder, { recursive: true });

const median = (all) => all.toSorted((a, b) => a.ms - b.ms)[Math.floor(all.length / 2)];
const base = median(results['event by event']).ms;
console.log(
  `Node ${process.versions.node} · ${cpus().length} × ${cpus()[0]?.model} · ${new Date().toISOString().slice(0, 10)}\n`,
);
console.log('| 50,000 events | ms | times as fast | reads of the file |\n| --- | ---: | ---: | ---: |');
for (const [name, all] of Object.entries(results)) {
  const { ms, touched: reads } = median(all);
  console.log(`| ${name} | ${ms.toFixed(0)} | ${(base / ms).toFixed(1)} | ${reads} |`);
}
