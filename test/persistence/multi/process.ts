/** One of many processes on a folder: writes, reads or consolidates as its parent says, and tells what it saw. */

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { MsgpackWriter } from '../../../src/persistence/msgpack-bytes.js';
import { StampClock } from '../../../src/stamp.js';

const [folder = '', role = 'writer', seed = '0', keyCount = '40', operations = '0'] = process.argv.slice(2);
const writer = createHash('md5').update(`${seed} ${process.pid}`).digest('hex').slice(0, 16);
const stamps = new StampClock(systemClock, writer);

let state = Number(seed) >>> 0;
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};

const tier = new DiskTier({
  options: resolveDiskOptions({
    persistDir: folder,
    mode: 'multi',
    partitionBytes: 30_000,
    flushInterval: 20,
    syncInterval: 100,
    closeAfter: 300,
    consolidateInterval: null,
  }),
  clock: systemClock,
  writer,
  onError: (error) => tell('error', error.message),
  onStamp: (stamp) => stamps.observe(stamp),
});

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function hash(number: number): string {
  return createHash('md5').update(`search:${number}`).digest('hex');
}

function encoded(text: string): Uint8Array {
  const bytes = new MsgpackWriter();
  bytes.string(text);
  return Uint8Array.from(bytes.finish());
}

function change(number: number, value: string | null): void {
  const now = Date.now();
  const metadata = {
    createdAt: now,
    staleAt: null,
    expiresAt: null,
    accessCount: 0,
    lastAccess: now,
    loadMs: 0,
  };
  const stamp = stamps.next();
  if (value === null) tier.delete(hash(number), 'search', stamp);
  else tier.write({ key: hash(number), method: 'search', metadata, stamp, encoded: encoded(value) });
}

/** The value of a key without its padding; `null` when there is none. */
async function read(number: number): Promise<string | null> {
  const record = await tier.lookup(hash(number), 'search');
  if (record === undefined) return null;
  const text = Buffer.from(record.encoded).toString('latin1');
  return /<([^<>]*)>/.exec(text)?.[1] ?? 'garbage';
}

const padding = () => 'x'.repeat(Math.floor(random() * 300));

/** Changes keys that are its own alone, each acknowledged before the next. */
async function write(): Promise<never> {
  for (let round = 0; ; round += 1) {
    const changes: [number, string | null][] = [];
    for (let count = 1 + Math.floor(random() * 6); count > 0; count -= 1) {
      const number = Math.floor(random() * Number(keyCount)) * 4 + (Number(seed) % 4);
      changes.push([number, random() < 0.2 ? null : `${number}:${seed}:${round}:${count}`]);
    }
    tell('attempt', round, changes);
    for (const [number, value] of changes) change(number, value === null ? null : `<${value}>${padding()}`);
    const isDone = await tier.flush().then(
      () => true,
      () => false,
    );
    if (isDone) tell('acknowledged', round);
    await new Promise((resolve) => setTimeout(resolve, random() * 10));
  }
}

async function consolidate(): Promise<never> {
  for (let round = 0; ; round += 1) {
    tell('consolidating', round);
    const merged = await tier.consolidate().then(
      (report) => report.merged,
      () => -1,
    );
    tell('consolidated', merged);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Looks for what was there before it started and is never changed: it must never be missing. */
async function watch(): Promise<never> {
  for (let lookups = 0; ; ) {
    for (let number = 1_000; number < 1_000 + Number(keyCount); number += 1) {
      lookups += 1;
      const value = await read(number).catch((error: unknown) => String(error));
      if (value !== `${number}:fixed`) tell('missed', number, value);
    }
    tell('watched', lookups);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Changes random keys of all so many times; tells each change with its stamp, for a model outside. */
async function operate(): Promise<void> {
  const told: unknown[] = [];
  for (let count = 0; count < Number(operations); count += 1) {
    const number = Math.floor(random() * Number(keyCount));
    if (random() < 0.3) {
      await read(number).catch((error: unknown) => tell('error', String(error)));
      continue;
    }
    const stamp = stamps.next();
    const value = random() < 0.25 ? null : `${number}:${seed}:${count}`;
    if (value === null) tier.delete(hash(number), 'search', stamp);
    else {
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
        key: hash(number),
        method: 'search',
        metadata,
        stamp,
        encoded: encoded(`<${value}>${padding()}`),
      });
    }
    told.push([number, value, stamp.time, stamp.writer]);
    if (random() < 0.01) await tier.flush();
  }
  await tier.flush();
  while (told.length > 0) tell('changes', told.splice(0, 500));
  tell('done');
}

async function tellAll(): Promise<void> {
  const values: (string | null)[] = [];
  for (let number = 0; number < Number(keyCount); number += 1) values.push(await read(number));
  tell('all', values);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'all') void tellAll();
  if (line === 'close') void tier.close().then(() => process.exit(0));
});

await tier.open();
if (role === 'fixed') {
  for (let number = 1_000; number < 1_000 + Number(keyCount); number += 1)
    change(number, `<${number}:fixed>`);
  await tier.close();
  process.exit(0);
}
tell('ready');
if (role === 'writer') await write();
else if (role === 'consolidator') await consolidate();
else if (role === 'watcher') await watch();
else await operate();
