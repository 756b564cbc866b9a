/** Many real processes on one folder, killed and stalled at random: nothing acknowledged is lost, nothing deleted comes back. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { CacheError } from '../../../src/errors.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { inspectFiles } from '../../../src/persistence/inspection.js';

const rounds = Number(process.env['TOOLSTASH_ROUNDS'] ?? 2);
const operations = Number(process.env['TOOLSTASH_OPERATIONS'] ?? 150);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const keys = 40;
let work: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'toolstash-multi-'));
  // What is built refers to packages.
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(work, 'node_modules'));
  const entry = fileURLToPath(new URL('process.ts', import.meta.url));
  const outDir = join(work, 'built');
  await build({
    entry: [entry],
    outDir,
    format: 'esm',
    target: 'node20',
    config: false,
    silent: true,
    dts: false,
  });
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

type Message = [kind: string, ...rest: unknown[]];

/** A process, and what it has told. */
class Process {
  readonly child: ChildProcess;
  readonly messages: Message[] = [];
  readonly ended: Promise<void>;
  #text = '';
  #complaints = '';
  readonly #waiting: { kind: string; resolve: (message: Message) => void }[] = [];

  constructor(folder: string, role: string, processSeed: number, count = 0) {
    const script = join(work, 'built', 'process.js');
    const settings = [folder, role, processSeed, keys, count].map(String);
    this.child = spawn(process.execPath, [script, ...settings]);
    this.child.stdout?.on('data', (bytes) => this.#hear(String(bytes)));
    this.child.stderr?.on('data', (bytes) => {
      this.#complaints += String(bytes);
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('close', (code, signal) => {
        if (signal === 'SIGKILL' || code === 0) resolve();
        else reject(new Error(`${role} ended by itself: ${this.#complaints}`));
      });
    });
    this.ended.catch(() => undefined);
  }

  of(kind: string): Message[] {
    return this.messages.filter(([name]) => name === kind);
  }

  async next(kind: string): Promise<Message> {
    const told = new Promise<Message>((resolve) => this.#waiting.push({ kind, resolve }));
    const failed = this.ended.then(() => Promise.reject(new Error(`Ended before it told ${kind}`)));
    return Promise.race([told, failed]);
  }

  send(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async kill(): Promise<void> {
    // A stopped process dies of it too.
    this.child.kill('SIGKILL');
    await this.ended;
  }

  #hear(text: string): void {
    this.#text += text;
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as Message;
      this.messages.push(message);
      for (const [at, waiting] of [...this.#waiting.entries()].reverse()) {
        if (waiting.kind !== message[0]) continue;
        this.#waiting.splice(at, 1);
        waiting.resolve(message);
      }
    }
  }
}

function openTier(folder: string, errors: CacheError[]): DiskTier {
  return new DiskTier({
    options: resolveDiskOptions({
      persistDir: folder,
      mode: 'multi',
      consolidateInterval: null,
      flushOnExit: false,
    }),
    clock: systemClock,
    onError: (error) => errors.push(error),
  });
}

async function readAll(folder: string, numbers: Iterable<number>): Promise<Map<number, string | null>> {
  const errors: CacheError[] = [];
  const tier = openTier(folder, errors);
  await tier.open();
  const found = new Map<number, string | null>();
  for (const number of numbers) {
    const key = createHash('md5').update(`search:${number}`).digest('hex');
    const record = await tier.lookup(key, 'search');
    const text = record === undefined ? undefined : Buffer.from(record.encoded).toString('latin1');
    found.set(number, text === undefined ? null : (/<([^<>]*)>/.exec(text)?.[1] ?? 'garbage'));
  }
  await tier.close();
  expect(errors.map(({ message }) => message)).toEqual([]);
  return found;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('many processes on one folder', () => {
  it(
    'lose nothing acknowledged and bring nothing deleted back, killed and stalled at random',
    async () => {
      const folder = mkdtempSync(join(work, 'cache-'));
      await new Process(folder, 'fixed', 99).ended;
      // What each key may be: the acknowledged state, and those attempted after it.
      const model = new Map<number, (string | null)[]>();
      const wrong: string[] = [];
      let acknowledged = 0;
      let consolidated = 0;
      let watched = 0;
      const watcher = new Process(folder, 'watcher', 1);
      await watcher.next('ready');
      for (let round = 0; round < rounds && wrong.length === 0; round += 1) {
        const roundSeed = seed + round * 8;
        // A seed that leaves `n` when divided by 4 writes the keys that do.
        const writers = [0, 1, 2, 3].map((at) => new Process(folder, 'writer', (roundSeed + at) * 4 + at));
        const consolidator = new Process(folder, 'consolidator', roundSeed);
        const all = [...writers, consolidator];
        await Promise.all(all.map((each) => each.next('ready')));
        const chance = (at: number) => createHash('md5').update(`${roundSeed} ${at}`).digest()[0]!;
        await wait(200 + chance(0));
        // One writer or the consolidator stalls past every limit, and goes on while others work.
        const stalled = all[chance(1) % all.length]!;
        stalled.child.kill('SIGSTOP');
        await wait(round % 3 === 2 ? 3_500 : 700);
        stalled.child.kill('SIGCONT');
        await wait(chance(2));
        await Promise.all(all.map(async (each, at) => wait(chance(3 + at)).then(() => each.kill())));
        for (const process of writers) acknowledged += takeIn(process, model);
        consolidated += consolidator.of('consolidated').filter(([, merged]) => Number(merged) > 0).length;
        for (const each of all)
          wrong.push(...each.of('error').map(([, text]) => `reported: ${String(text)}`));
        const found = await readAll(folder, model.keys());
        for (const [number, allowed] of model) {
          const value = found.get(number)!;
          if (!allowed.includes(value)) {
            wrong.push(`round ${round}: key ${number} is ${value}, not ${allowed.join(' or ')}`);
          }
          // What was read once has been written, so from now on it is this.
          model.set(number, [value]);
        }
      }
      watched = Number(watcher.of('watched').at(-1)?.[1]);
      await watcher.kill();
      wrong.push(...watcher.of('missed').map((message) => `a reader: ${JSON.stringify(message)}`));
      wrong.push(...watcher.of('error').map(([, text]) => `the reader reported: ${String(text)}`));
      console.log(
        `seed ${seed}: ${rounds} rounds, ${acknowledged} flushes acknowledged, ${consolidated} consolidations, ${watched} lookups; ${wrong.length} wrong`,
      );
      expect(wrong).toEqual([]);
      expect(consolidated).toBeGreaterThan(0);
      expect(acknowledged).toBeGreaterThan(rounds);
      const report = await inspectFiles([folder]);
      expect(report.files.flatMap(({ damage }) => damage)).toEqual([]);
      expect(readdirSync(folder)).not.toContain('quarantine');
    },
    60_000 + rounds * 20_000,
  );

  it(
    'agree with a model once they are at rest',
    async () => {
      const folder = mkdtempSync(join(work, 'cache-'));
      const processes = Array.from(
        { length: 8 },
        (_, at) => new Process(folder, 'operator', seed + at, operations),
      );
      const consolidator = new Process(folder, 'consolidator', seed);
      const changes = new Map<number, { value: string | null; time: number; writer: string }>();
      await Promise.all(processes.map((each) => each.next('done')));
      await wait(400);
      await consolidator.kill();
      let count = 0;
      for (const each of processes) {
        for (const [, told] of each.of('changes')) {
          for (const [number, value, time, writer] of told as [number, string | null, number, string][]) {
            count += 1;
            const known = changes.get(number);
            const isNewer =
              known === undefined || time > known.time || (time === known.time && writer > known.writer);
            if (isNewer) changes.set(number, { value, time, writer });
          }
        }
      }
      const expected = Array.from({ length: keys }, (_, number) => changes.get(number)?.value ?? null);
      const answers = await Promise.all(
        processes.map((each) => {
          const all = each.next('all');
          each.send('all');
          return all;
        }),
      );
      for (const [, values] of answers) expect(values).toEqual(expected);
      const found = await readAll(folder, expected.keys());
      expect([...found.values()]).toEqual(expected);
      const merged = consolidator.of('consolidated').filter(([, number]) => Number(number) > 0).length;
      console.log(`seed ${seed}: ${count} changes by 8 processes, ${merged} consolidations, 0 differences`);
      for (const each of [...processes, consolidator]) expect(each.of('error')).toEqual([]);
      await Promise.all(processes.map((each) => each.kill()));
    },
    60_000 + operations * 60,
  );

  it('see what another has acknowledged within an interval and the time of a pull', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const writer = new Process(folder, 'writer', seed * 4);
    const errors: CacheError[] = [];
    const options = resolveDiskOptions({
      ...{ persistDir: folder, mode: 'multi', syncInterval: 100, closeAfter: 300 },
      ...{ consolidateInterval: null, flushOnExit: false },
    });
    const tier = new DiskTier({ options, clock: systemClock, onError: (error) => errors.push(error) });
    await tier.open();
    // Seen from outside: a value acknowledged at `since` is there (or a newer one) once `allowed` has passed.
    const allowed = 100 + 900;
    const late: string[] = [];
    let seen = 0;
    for (let sample = 0; sample < 15; sample += 1) {
      await writer.next('acknowledged');
      const model = new Map<number, (string | null)[]>();
      takeIn(writer, model);
      await wait(allowed);
      for (const [number, before] of model) {
        const key = createHash('md5').update(`search:${number}`).digest('hex');
        const record = await tier.lookup(key, 'search');
        const later = new Map<number, (string | null)[]>();
        takeIn(writer, later);
        const text = record === undefined ? undefined : Buffer.from(record.encoded).toString('latin1');
        const value = text === undefined ? null : (/<([^<>]*)>/.exec(text)?.[1] ?? 'garbage');
        const isSince = !before.includes(value) && wasToldAfter(writer, number, value, before[0]!);
        seen += 1;
        if (!before.includes(value) && !isSince)
          late.push(`${number} is ${value}, not ${before.join(' or ')}`);
      }
    }
    await writer.kill();
    await tier.close();
    console.log(`seed ${seed}: ${seen} values seen in time, ${late.length} late`);
    expect(late).toEqual([]);
    expect(errors).toEqual([]);
    expect(seen).toBeGreaterThan(100);
  }, 120_000);
});

/** Whether the writer has attempted this value of the key after another one. */
function wasToldAfter(writer: Process, number: number, value: string | null, other: string | null): boolean {
  const values = writer
    .of('attempt')
    .flatMap(([, , changes]) => changes as [number, string | null][])
    .filter(([changed]) => changed === number)
    .map(([, changed]) => changed);
  return values.lastIndexOf(value) > values.indexOf(other);
}

/** Takes what a writer has told into the model, and returns how many flushes it saw acknowledged. */
function takeIn(writer: Process, model: Map<number, (string | null)[]>): number {
  const attempts = new Map<number, [number, string | null][]>();
  for (const [kind, round, changes] of writer.messages as [string, number, [number, string | null][]][]) {
    if (kind === 'attempt') {
      attempts.set(round, changes);
      for (const [number, value] of changes) {
        model.set(number, [...(model.get(number) ?? [null]), value]);
      }
    } else if (kind === 'acknowledged') {
      for (const [number, value] of attempts.get(round) ?? []) model.set(number, [value]);
    }
  }
  return writer.of('acknowledged').length;
}
