/** One of many processes on a folder: writes, reads or consolidates as its parent says, and tells what it saw. */

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { nodeFileSystem } from '../../../src/persistence/file-system.js';
import { DirectoryTakenError } from '../../../src/persistence/lock/acquire-lock.js';
import { StampClock } from '../../../src/stamp.js';
import { MsgpackWriter } from '../../../src/value/msgpack/writer.js';
import { type Change, fixed, keyCount, methodOf, type Seen, stored } from './oracle.js';
import { blindFiles, pausingFiles, stopAt } from './stalling-files.js';

/** What the parent wants. */
export interface Settings {
  readonly folder: string;
  readonly role: 'writer' | 'consolidator' | 'reader' | 'operator' | 'first' | 'node';
  readonly seed: number;
  readonly mode?: 'single' | 'multi';
  readonly operations?: number;
  /** How many keys a writer changes; they are below 1000. */
  readonly keys?: number;
  /** The longest pause of a writer, in ms. */
  readonly pause?: number;
  /** Stops itself at every so-many-th step that changes a file. */
  readonly stopEvery?: number;
  /** Stops itself at the step of this number. */
  readonly stopOnce?: number;
  /** Plants a fault: it never sees that its files have gone. */
  readonly isBlind?: boolean;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const { folder, role, seed, mode = 'multi', operations = 0, pause = 10, keys = keyCount } = settings;
const writer = createHash('md5').update(`${seed} ${process.pid} ${Date.now()}`).digest('hex').slice(0, 16);
const stamps = new StampClock(systemClock, writer);

let state = seed >>> 0;
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
const below = (limit: number) => Math.floor(random() * limit);
const padding = () => 'x'.repeat(below(300));

// In place of the machine's own, so that all else is wired as it is for users.
const machine = { ...nodeFileSystem };
if (settings.isBlind === true) Object.assign(nodeFileSystem, blindFiles(machine));
const { stopEvery, stopOnce } = settings;
const steps = stopEvery ?? stopOnce;
if (steps !== undefined) {
  const again = stopEvery === undefined ? 'once' : 'often';
  Object.assign(nodeFileSystem, pausingFiles({ ...nodeFileSystem }, stopAt(steps, again)));
}

const tier = new DiskTier({
  options: resolveDiskOptions({
    persistDir: folder,
    mode,
    // Small enough that files are filled, and so closed, all the time.
    partitionBytes: role === 'operator' ? 30_000 : 4_000,
    flushInterval: 20,
    syncInterval: 100,
    closeAfter: 300,
    consolidateInterval: null,
  }),
  clock: systemClock,
  writer,
  onError: (error) => tell('error', `${error.code}: ${error.message}`),
  onStamp: (stamp) => stamps.observe(stamp),
});

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function hash(number: number): string {
  return createHash('md5')
    .update(`${methodOf(number)}:${number}`)
    .digest('hex');
}

function encoded(text: string): Uint8Array {
  const bytes = new MsgpackWriter();
  bytes.string(text);
  return bytes.take();
}

function make(change: Change, life?: number): void {
  const { stamp } = change;
  if (change.kind === 'clear') tier.clear(change.method, stamp);
  else if (change.kind === 'invalidate') tier.invalidateTag(change.tag, stamp);
  else if (change.kind === 'delete') tier.delete(hash(change.number), methodOf(change.number), stamp);
  else {
    const now = Date.now();
    const { number, value, tag } = change;
    tier.write({
      key: hash(number),
      method: methodOf(number),
      metadata: {
        createdAt: now,
        staleAt: null,
        expiresAt: life === undefined ? null : now + life,
        accessCount: 0,
        lastAccess: now,
        loadMs: 0,
      },
      stamp,
      encoded: encoded(`<${value}>${padding()}`),
      ...(tag === undefined ? {} : { tags: [tag] }),
    });
  }
}

let attempts = 0;
/** Tells what is done before it is, and again when it is acknowledged: a kill in between leaves it open. */
async function attempt(changes: readonly Change[], life?: number): Promise<boolean> {
  const number = attempts++;
  tell('attempt', number, changes);
  for (const change of changes) make(change, life);
  try {
    await tier.flush();
  } catch {
    // It was told as an error already.
    return false;
  }
  tell('acknowledged', number);
  return true;
}

async function read(number: number): Promise<Seen> {
  const record = await tier.lookup(hash(number), methodOf(number));
  const text = record === undefined ? undefined : Buffer.from(record.encoded).toString('latin1');
  const value = text === undefined ? null : (/<([^<>]*)>/.exec(text)?.[1] ?? 'garbage');
  return { number, value, stamp: record?.stamp ?? null, at: Date.now() };
}

function randomChange(text: string): Change {
  const stamp = stamps.next();
  const chance = random();
  if (chance < 0.01) return { kind: 'clear', method: 'fetch', stamp };
  if (chance < 0.02) return { kind: 'invalidate', tag: `tag ${below(3)}`, stamp };
  if (chance < 0.1) {
    const number = stored.from + below(stored.to - stored.from);
    return { kind: 'set', number, value: `${number}:${text}`, stamp };
  }
  const number = below(keys);
  if (chance < 0.3) return { kind: 'delete', number, stamp };
  const tag = random() < 0.3 ? { tag: `tag ${number % 3}` } : {};
  return { kind: 'set', number, value: `${number}:${text}`, stamp, ...tag };
}

/** Changes keys that all others change too, and looks at one of them once that is acknowledged. */
async function write(): Promise<never> {
  for (let round = 0; ; round += 1) {
    const changes = Array.from({ length: 1 + below(6) }, (_, at) => randomChange(`${writer}:${round}:${at}`));
    const last = changes.findLast(({ kind }) => kind === 'set' || kind === 'delete');
    if ((await attempt(changes)) && last !== undefined && 'number' in last) {
      await read(last.number).then(
        (seen) => tell('read', seen, last.stamp),
        (error: unknown) => tell('error', String(error)),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, random() * pause));
  }
}

async function consolidate(): Promise<number> {
  try {
    const { merged } = await tier.consolidate();
    return merged;
  } catch (error) {
    // Another has the right to it.
    if (!(error instanceof DirectoryTakenError)) tell('error', `consolidation: ${String(error)}`);
    return -1;
  }
}

async function consolidateForEver(): Promise<never> {
  for (;;) {
    tell('consolidated', await consolidate());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Looks at all keys again and again, and tells what is not as it was. */
async function watch(): Promise<never> {
  const numbers: number[] = [];
  for (let number = 0; number < keyCount; number += 1) numbers.push(number);
  for (const { from, to } of [fixed, stored])
    for (let number = from; number < to; number += 1) numbers.push(number);
  const known = new Map<number, string>();
  for (let lookups = 0; ; ) {
    for (const number of numbers) {
      lookups += 1;
      const seen = await read(number).catch((error: unknown) => String(error));
      if (typeof seen === 'string') {
        tell('error', seen);
        continue;
      }
      const looks = JSON.stringify([seen.value, seen.stamp]);
      if (known.get(number) !== looks) tell('seen', seen);
      known.set(number, looks);
    }
    tell('watched', lookups);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Changes random keys of all so many times; tells each change with its stamp, for a model outside. */
async function operate(): Promise<void> {
  const told: unknown[] = [];
  for (let count = 0; count < operations; count += 1) {
    const number = below(keyCount);
    if (random() < 0.3) {
      await read(number).catch((error: unknown) => tell('error', String(error)));
      continue;
    }
    const stamp = stamps.next();
    const value = random() < 0.25 ? null : `${number}:${seed}:${count}`;
    make(value === null ? { kind: 'delete', number, stamp } : { kind: 'set', number, value, stamp });
    told.push([number, value, stamp.time, stamp.writer]);
    if (random() < 0.01) await tier.flush();
  }
  await tier.flush();
  while (told.length > 0) tell('changes', told.splice(0, 500));
  tell('done');
}

/** Writes what is there before all others start. */
async function writeFirst(): Promise<void> {
  const changes: Change[] = [];
  for (const { from, to } of [fixed, stored]) {
    for (let number = from; number < to; number += 1) {
      changes.push({ kind: 'set', number, value: `${number}:first`, stamp: stamps.next() });
    }
  }
  await attempt(changes);
  await tier.close();
}

/** Does what the parent orders. */
async function obey(order: string): Promise<void> {
  const [verb, number, value, life] = order.split(' ');
  const target = Number(number);
  switch (verb) {
    case 'set':
      await attempt(
        [{ kind: 'set', number: target, value: value ?? '', stamp: stamps.next() }],
        life === undefined ? undefined : Number(life),
      );
      break;
    case 'delete':
      await attempt([{ kind: 'delete', number: target, stamp: stamps.next() }]);
      break;
    case 'clear':
      await attempt([{ kind: 'clear', method: methodOf(target), stamp: stamps.next() }]);
      break;
    case 'load':
      await tier.load();
      break;
    case 'consolidate':
      tell('consolidated', await consolidate());
      break;
    case 'read':
      tell('read', await read(target));
      break;
    case 'all': {
      const values: (string | null)[] = [];
      for (let key = 0; key < keyCount; key += 1) values.push((await read(key)).value);
      tell('all', values);
      break;
    }
    case 'close':
      await tier.close();
      process.exit(0);
  }
  tell('obeyed', order);
}

let orders: Promise<unknown> = Promise.resolve();
createInterface({ input: process.stdin }).on('line', (line) => {
  orders = orders.then(() => obey(line)).catch((error: unknown) => tell('error', String(error)));
});

await tier.open();
if (role === 'first') {
  await writeFirst();
  process.exit(0);
}
tell('ready', writer);
if (role === 'writer') await write();
else if (role === 'consolidator') await consolidateForEver();
else if (role === 'reader') await watch();
else if (role === 'operator') await operate();
