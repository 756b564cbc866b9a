/** Every file operation of a pull fails once in every way while lookups go on: none is wrong, and none misses what is there. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DiskOptions } from '../../src/persistence/disk-options.js';
import type { LoadMode } from '../../src/persistence/folder-context.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';
import { type Fault, FaultyFileSystem, faults, type Lasting } from '../helper/faulty-file-system.js';
import { inForm } from '../helper/form.js';

const day = 86_400_000;
const options: DiskOptions = {
  persistDir: '/data/cache',
  mode: 'multi',
  closeAfter: 60_000,
  flushInterval: 1_000,
  partitionBytes: 4_000,
};
const keys = Array.from({ length: 14 }, (_, key) => key);
const methods = ['search', 'fetch', 'browse'] as const;
const calls = methods.flatMap((method) => keys.map((key) => [method, key] as const));

function noise(text: string): string {
  return `${text} ${createHash('sha512').update(text).digest('base64').repeat(3)}`;
}

/** What a call was answered with, in the order of time: the last is what it is at the end. */
type History = unknown[];

interface Past {
  readonly disk: FaultyFileSystem;
  readonly now: number;
  /** Bytes of each file as the reader has seen it. */
  readonly before: FaultyFileSystem;
  readonly histories: readonly History[];
}

/**
 * What two writers have written before a reader opens the folder, and what they, a consolidation and a failing disk
 * have made of it until the reader's pull: values overwritten, deleted, cleared, invalidated by tag; files appended
 * to, new, merged into others, torn by a crash, damaged.
 */
async function makePast(): Promise<Past> {
  const disk = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  disk.now = () => clock.now();
  const histories = calls.map((): History => [undefined]);
  const note = (method: string, isMeant: (key: number) => boolean, value: (key: number) => unknown) => {
    for (const [number, [name, key]] of calls.entries())
      if (name === method && isMeant(key)) histories[number]!.push(value(key));
  };
  const one = makeDiskTier({ ...options, files: disk.beside(), clock });
  const two = makeDiskTier({ ...options, files: disk.beside(), clock });
  const write = async (tier: TestTier, round: number, isMeant: (key: number) => boolean) => {
    for (const method of methods) {
      for (const key of keys.filter(isMeant))
        tier.set(method, key, noise(`${method} ${key} ${round}`), key % 5 === 4 ? { tags: ['t'] } : {});
      note(method, isMeant, (key) => noise(`${method} ${key} ${round}`));
    }
    await tier.tier.flush();
    clock.advance(1_000);
  };
  for (let round = 0; round < 3; round += 1) await write([one, two][round % 2]!, round, (key) => key < 10);
  await two.tier.close();
  clock.advance(day);
  const before = disk.copy();
  const start = histories.map((history) => history.length);

  const three = makeDiskTier({ ...options, files: disk.beside(), clock });
  await write(three, 3, (key) => key % 3 === 0);
  await write(one, 4, (key) => key % 4 === 1);
  one.delete('search', 2);
  note(
    'search',
    (key) => key === 2,
    () => undefined,
  );
  three.tier.clear('fetch', three.stamps.next());
  note(
    'fetch',
    () => true,
    () => undefined,
  );
  three.tier.invalidateTag('t', three.stamps.next());
  for (const method of ['search', 'browse'] as const)
    note(
      method,
      (key) => key % 5 === 4,
      () => undefined,
    );
  await Promise.all([one.tier.flush(), three.tier.flush()]);
  clock.advance(1_000);
  await Promise.all([one.tier.load(), three.tier.load()]);
  expect((await one.tier.consolidate()).merged).toBeGreaterThan(0);
  await write(three, 5, (key) => key === 6 || key === 11);
  await Promise.all([one.tier.close(), three.tier.close()]);

  // A file that a disk has damaged, and one whose writer was cut off.
  const four = makeDiskTier({ ...options, files: disk.beside(), clock });
  await four.tier.open();
  const known = disk.paths();
  const damaged = [7, 8, 13];
  for (const key of damaged) {
    four.set('browse', key, noise(`in a damaged file ${key}`));
    await four.tier.flush();
  }
  // The first member has lost its body, the second its header, which nobody can know of any more.
  const rest = [undefined, 'unknown', noise('in a damaged file 13')];
  for (const [number, key] of damaged.entries()) {
    const isMeant = (each: number) => each === key && rest[number] !== 'unknown';
    note('browse', isMeant, () => rest[number]);
  }
  four.set('search', 9, noise('whole'));
  await four.tier.flush();
  note(
    'search',
    (key) => key === 9,
    () => noise('whole'),
  );
  await four.tier.close();
  for (const path of disk.paths().filter((each) => !known.includes(each))) {
    const bytes = disk.peek(path);
    if (bytes.includes('browse')) {
      const second = bytes.indexOf(Buffer.of(0x1f, 0x8b, 8), 10);
      bytes[second - 20]! ^= 0xff;
      bytes[second + 50]! ^= 0xff;
      disk.plant(path, bytes);
    } else {
      disk.plant(path, Buffer.concat([bytes, bytes.subarray(0, 200)]));
    }
  }
  clock.advance(120_000);
  return {
    disk,
    now: clock.now(),
    before,
    histories: histories.map((history, number) => history.slice(start[number]! - 1)),
  };
}

interface Outcome {
  readonly wasReached: boolean;
  readonly wrong: readonly string[];
  readonly lookups: number;
}

const isPull = new AsyncLocalStorage<true>();

/** One pull with one fault, watched from beginning to end. */
async function watch(
  past: Past,
  request: { mode: LoadMode; at: number; fault: Fault; lasting: Lasting },
): Promise<Outcome> {
  const { mode, at, fault, lasting } = request;
  const clock = new FakeClock(past.now);
  const disk = past.before.copy();
  disk.now = () => clock.now();
  const view = disk.beside(() => isPull.getStore() === true);
  const reader = makeDiskTier({ ...options, files: view, clock });
  const wrong: string[] = [];
  const reached = calls.map(() => 0);
  let lookups = 0;
  /** `newest`: nothing older is right any more. `sure`: and it is answered. */
  const look = async (when: string, wants: 'any' | 'newest' | 'sure' = 'any') => {
    for (const [number, [method, key]] of calls.entries()) {
      const history = past.histories[number]!;
      let value: unknown;
      try {
        value = await reader.get(method, key);
      } catch (error) {
        if (wants === 'sure') wrong.push(`${method} ${key} fails ${when}: ${(error as Error).message}`);
        continue;
      }
      lookups += 1;
      const place = history.indexOf(value, wants === 'any' ? reached[number]! : history.length - 1);
      if (place < 0) wrong.push(`${method} ${key} is ${String(value).slice(0, 12)} ${when}`);
      else reached[number] = place;
    }
  };
  await reader.tier.open();
  // What was read before is still open or in memory; else its file may have moved by now.
  if (at % 2 === 0) await look('before');
  disk.become(past.disk);
  view.failAt(at, fault, lasting);
  let isDone = false;
  const watching = (async () => {
    while (!isDone) {
      await look('meanwhile');
      await new Promise(setImmediate);
    }
  })();
  const wants = await isPull
    .run(true, () => reader.tier.load({ mode }))
    .then(
      () => 'newest' as const,
      () => 'any' as const,
    );
  const { wasReached } = view;
  await new Promise(setImmediate);
  isDone = true;
  await watching;
  await look('after it', wants);
  view.heal();
  clock.advance(2_000);
  // By themselves lookups read again what could not be read; what was not listed comes with the next pull.
  await look('after the fault', wants);
  await isPull.run(true, () => reader.tier.load());
  clock.advance(2_000);
  await reader.tier.load();
  await look('at the end', 'sure');
  await reader.tier.close();
  // A file that is opened, and then the call fails, is one that nobody can close.
  if (view.openFiles !== 0 && fault !== 'short') wrong.push(`${view.openFiles} files stay open`);
  return { wasReached, wrong, lookups };
}

describe('a pull on a failing disk', () => {
  for (const mode of ['incremental', 'full'] as const) {
    it(`(${mode}) gives no lookup a wrong answer, and the next one misses nothing`, async () => {
      const past = await makePast();
      const step = Number(process.env['TOOLSTASH_FAULT_STEP'] ?? inForm({ short: 97, long: 23 }));
      const wrong: string[] = [];
      let [points, runs, lookups] = [0, 0, 0];
      const ways = faults
        .filter((fault) => fault !== 'power')
        .flatMap((fault) => [{ fault, lasting: false } as const, { fault, lasting: 'there' } as const]);
      for (const [number, way] of ways.entries()) {
        for (let at = number % step; ; at += step) {
          const outcome = await watch(past, { mode, at, ...way });
          lookups += outcome.lookups;
          if (outcome.wrong.length > 0) {
            const lasting = way.lasting ? ', lasting' : '';
            wrong.push(`${way.fault} at ${at}${lasting}: ${outcome.wrong.slice(0, 3).join('; ')}`);
          }
          if (!outcome.wasReached) break;
          points = Math.max(points, at + 1);
          runs += 1;
        }
      }
      console.log(`${mode}: ${points} points × ${ways.length} faults: ${runs} runs, ${lookups} lookups`);
      expect(wrong).toEqual([]);
      expect(points).toBeGreaterThan(50);
    }, 3_600_000);
  }
});
