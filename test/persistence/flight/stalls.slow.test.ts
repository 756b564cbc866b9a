/** Real processes that share their loads while some of them stall or die, or have clocks that are off. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { encodeNote } from '../../../src/persistence/flight/flight-file.js';
import { randomId } from '../../../src/persistence/format/partition-name.js';
import { ownNote } from '../../../src/persistence/lock/holder-note.js';
import { killChildren, type Mutation, makeWorkFolder, wait } from '../../helper/child-process.js';
import { dateShifter, makeClock } from '../../helper/shifted-clock.js';
import { buildProcess, type Crew, expectQuiet, hold, startCrew } from './crew.js';
import type { FlightOrder } from './process.js';

let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('flight-stalls');
  script = await buildProcess(work);
});

afterEach(() => killChildren());
afterAll(() => rmSync(work, { recursive: true, force: true }));

const start = (count: number, options = {}) => startCrew({ work, script, count, options });

/** 300 with `npm run test:multi`. */
const races = Number(process.env['TOOLSTASH_ROUNDS'] ?? 8) * 5;

const keyOf = (key: number) => new CacheManager().key('tool', key);

describe('a process that loads for others', () => {
  it('is waited for while it gives signs of life', async () => {
    const crew = await start(2);
    await hold(crew, 0, 1);
    await crew.members[1]!.obey('call', 1, { ms: 0 });
    await wait(7_000);
    await crew.members[0]!.obey('finish', 1);
    const answers = await Promise.all(crew.members.map((member) => member.answer(1)));
    expect([answers, crew.runs(1)]).toEqual([['1 by p0, run 1', '1 by p0, run 1'], ['p0']]);
    await expectQuiet(crew);
  });

  it('that stalls is followed, and what it comes to in the end is in nobody’s way', async () => {
    const crew = await start(3);
    const [stalled, second, third] = crew.members;
    await hold(crew, 0, 1);
    stalled!.child.stop();
    await second!.obey('call', 1, { ms: 0 });
    expect(await second!.answer(1)).toBe('1 by p1, run 1');
    await second!.obey('flush');
    await stalled!.child.resume();
    await stalled!.obey('finish', 1);
    expect(await stalled!.answer(1)).toBe('1 by p0, run 1');
    await stalled!.obey('flush');
    await third!.obey('call', 1, { ms: 0 });
    expect(await third!.answer(1)).toBe('1 by p1, run 1');
    for (const member of crew.members) await member.obey('load');
    const reads = await Promise.all(crew.members.map((member) => member.obey('read', 1)));
    expect([reads, crew.runs(1)]).toEqual([Array(3).fill('1 by p1, run 1'), ['p0', 'p1']]);
    await expectQuiet(crew);
  });
});

/** Has all of them call at once for every key, and tells how often each key was loaded. */
async function race(crew: Crew, keys: readonly number[], racers = crew.members): Promise<number[]> {
  for (const key of keys) await Promise.all(racers.map((member) => member.obey('call', key, { ms: 20 })));
  for (const key of keys) {
    for (const member of racers) expect(await member.answer(key)).toMatch(new RegExp(`^${key} by p\\d, run`));
  }
  return keys.map((key) => crew.runs(key).length);
}

/** Has processes race for loads of one that has died; tells how many keys were loaded more than once. */
async function raceForTheDead(count: number): Promise<number> {
  const crew = await startCrew({ work, script, count: 4, options: { flushInterval: 50 } });
  const flights = join(crew.folder, '.flights');
  mkdirSync(flights, { recursive: true });
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const keys = Array.from({ length: count }, (_, key) => key);
  for (const key of keys) {
    const note = { ...ownNote(), token: randomId(), pid: dead };
    writeFileSync(join(flights, keyOf(key)), encodeNote(note));
  }
  const runs = await race(crew, keys);
  for (const member of crew.members) await member.obey('flush');
  for (const member of crew.members) await member.obey('load');
  for (const key of keys) {
    const reads = await Promise.all(crew.members.map((member) => member.obey('read', key)));
    expect(new Set(reads).size).toBe(1);
  }
  await expectQuiet(crew);
  return runs.filter((each) => each > 1).length;
}

describe('processes that race for the place of one', () => {
  it('that has died load once, and answer the same', async () => {
    const doubled = await raceForTheDead(races);
    console.log(`${races} races: ${doubled} keys were loaded more than once`);
    expect(doubled).toBeLessThanOrEqual(races / 20);
  });

  it('that has stalled answer what they loaded, also after it has come back with what it had', async () => {
    const crew = await start(5, { flushInterval: 50 });
    const [stalled, ...racers] = crew.members;
    const keys = Array.from({ length: races }, (_, key) => key);
    for (const key of keys) await hold(crew, 0, key);
    stalled!.child.stop();
    const runs = await race(crew, keys, racers);
    console.log(
      `${races} races: ${runs.filter((count) => count > 2).length} keys were loaded more than once`,
    );
    expect(Math.max(...runs)).toBeLessThanOrEqual(3);
    expect(runs.filter((count) => count > 2).length).toBeLessThanOrEqual(races / 20);
    await stalled!.child.resume();
    for (const key of keys) await stalled!.obey('finish', key);
    for (const key of keys) expect(await stalled!.answer(key)).toMatch(new RegExp(`^${key} by p0`));
    for (const member of crew.members) await member.obey('flush');
    for (const member of crew.members) await member.obey('load');
    for (const key of keys) {
      const reads = await Promise.all(crew.members.map((member) => member.obey('read', key)));
      expect([key, ...new Set(reads)]).toEqual([key, expect.not.stringContaining('by p0')]);
    }
    await expectQuiet(crew);
  });
});

const changes: readonly { readonly change: FlightOrder }[] = [
  { change: ['delete', 1] },
  { change: ['clear'] },
  { change: ['invalidate', 'tag'] },
];
const clocks = [
  { loader: 10, waiter: 0, changer: -10 },
  { loader: -10, waiter: 10, changer: 0 },
  { loader: 0, waiter: -10, changer: 10 },
];

function startApart({ loader, waiter, changer }: (typeof clocks)[number], built = script) {
  const settings = (number: number) => {
    const seconds = [loader, waiter, changer][number]!;
    return makeClock(dateShifter, work, `by ${seconds}`, seconds).settings;
  };
  return startCrew({ work, script: built, count: 3, settings });
}

/** Has a change arrive while a process loads and another one waits for it; tells what that one was answered. */
async function changeMeanwhile(change: FlightOrder, built = script, clock = clocks[0]!): Promise<unknown[]> {
  const crew = await startApart(clock, built);
  const [, waiting, changing] = crew.members;
  await hold(crew, 0, 1, { tags: ['tag'] });
  await waiting!.obey('call', 1, { ms: 0, tags: ['tag'] });
  await wait(100);
  await changing!.obey(...change);
  await changing!.obey('flush');
  await crew.members[0]!.obey('finish', 1);
  const answer = await waiting!.answer(1);
  for (const member of crew.members) await member.obey('flush');
  for (const member of crew.members) await member.obey('load');
  const reads = await Promise.all(crew.members.map((member) => member.obey('read', 1)));
  await expectQuiet(crew);
  return [answer, ...reads];
}

/** Has a process with another clock wait for one that loads for a while; tells who ran the tool. */
async function waitApart(clock: (typeof clocks)[number], built = script): Promise<string[]> {
  const crew = await startApart(clock, built);
  await hold(crew, 0, 1);
  await crew.members[1]!.obey('call', 1, { ms: 0 });
  await wait(2_500);
  await crew.members[0]!.obey('finish', 1);
  await crew.members[1]!.answer(1);
  await expectQuiet(crew);
  return crew.runs(1);
}

describe.each(clocks)('processes whose clocks are off by $loader, $waiter and $changer s', (clock) => {
  it.each(changes)('know that $change during a load came after it began', async ({ change }) => {
    expect(new Set(await changeMeanwhile(change, script, clock))).toEqual(new Set(['1 by p1, run 1']));
  });

  it('wait for each other all the same', async () => {
    expect(await waitApart(clock)).toEqual(['p0']);
  });
});

describe('the tests notice', () => {
  const right = '1 by p1, run 1';
  const mutants: readonly (Mutation & {
    readonly name: string;
    readonly isRight: (built: string) => Promise<boolean>;
  })[] = [
    {
      name: 'a stall that is told by the clock on the wall',
      file: 'flight/flight-turn.ts',
      from: /elapsed\(\) - this\.#changedAt >= stillFor/,
      to: 'Date.now() - seen.status.modifiedAt >= stillFor',
      isRight: async (built) => (await waitApart({ loader: 0, waiter: 10, changer: 0 }, built)).length === 1,
    },
    {
      name: 'a result that is taken over without a look at what was deleted',
      file: 'read/folder-change-check.ts',
      from: /const root = await this\.#list\(folder\);/,
      to: 'return [];\n    const root = await this.#list(folder);',
      isRight: async (built) => (await changeMeanwhile(['delete', 1], built)).every((one) => one === right),
    },
  ];

  it.each(mutants)('$name', async ({ isRight, ...mutation }) => {
    const built = await buildProcess(work, mutation);
    expect(await isRight(built)).toBe(false);
  });
});

it('leaves alone a folder of flights that somebody else has filled', async () => {
  const folder = mkdtempSync(join(work, 'cache-'));
  mkdirSync(join(folder, '.flights', 'a folder'), { recursive: true });
  writeFileSync(join(folder, '.flights', 'a file'), 'of somebody');
  const crew = await startCrew({ work, script, count: 2, folder });
  await Promise.all(crew.members.map((member) => member.obey('call', 1, { ms: 100 })));
  const answers = await Promise.all(crew.members.map((member) => member.answer(1)));
  expect([new Set(answers).size, crew.errors()]).toEqual([1, []]);
  await crew.close();
  expect(crew.flights().sort()).toEqual(['a file', 'a folder']);
});
