/** Rounds of a life and death of many processes on a folder, and what the oracle has to say of each. */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { inspectFiles } from '../../../src/persistence/offline/inspection.js';
import type { Stamp } from '../../../src/stamp.js';
import { Child, type ChildInit, type Message, wait } from '../../helper/child-process.js';
import { methodOf, Oracle, type Seen } from './oracle.js';
import type { Settings } from './process.js';

/** What is run. */
export interface RoundsRequest {
  readonly folder: string;
  readonly rounds: number;
  readonly seed: number;
  /** The script of writers and readers. */
  readonly script: string;
  /** The script of the consolidating process, if it is another one. */
  readonly consolidatorScript?: string;
  readonly writer?: Partial<Settings>;
  /** What the clock of each process shows: the writers first, then the consolidating one. */
  readonly clocks?: readonly Omit<ChildInit, 'script' | 'args'>[];
}

/** What it came to. */
export interface RoundsOutcome {
  readonly wrong: readonly string[];
  readonly rounds: number;
  readonly flushes: number;
  readonly changes: number;
  readonly kills: number;
  readonly stalls: number;
  readonly consolidations: number;
  readonly lookups: number;
}

/** What others do before a process is killed or goes on is waited for, but not for ever, in ms. */
const longestWait = 20_000;

export function start(
  script: string,
  settings: Settings,
  clock: Omit<ChildInit, 'script' | 'args'> = {},
): Child {
  return new Child({ ...clock, script, args: [JSON.stringify(settings)] });
}

/** Resolves once `isSo`, or when it has taken too long; tells which. */
export async function until(isSo: () => boolean, limit: number): Promise<boolean> {
  for (const end = Date.now() + limit; Date.now() < end; ) {
    if (isSo()) return true;
    await wait(10);
  }
  return isSo();
}

/** Runs rounds until something is wrong. In each, four writers and a consolidating process are stalled and killed. */
export async function runRounds(request: RoundsRequest): Promise<RoundsOutcome> {
  const { folder, seed, script, clocks = [] } = request;
  const oracle = new Oracle();
  const sums = { rounds: 0, kills: 0, stalls: 0, consolidations: 0 };
  const first = start(script, { folder, role: 'first', seed });
  await first.ended;
  oracle.take(first.messages);
  const reader = start(script, { folder, role: 'reader', seed });
  await reader.next('ready');
  oracle.startReader('reader');
  let readings = 0;
  while (sums.rounds < request.rounds && oracle.wrong.length === 0) {
    const roundSeed = seed + sums.rounds * 8;
    const chance = (at: number) => createHash('md5').update(`${roundSeed} ${at}`).digest()[0]!;
    const writers = [0, 1, 2, 3].map((at) => {
      // Two of the four stop themselves, and one takes its time, so that its files stay open for longer.
      const habit = at < 2 ? { stopEvery: 61 + chance(20 + at) } : { pause: at === 2 ? 10 : 100 };
      const settings: Settings = {
        ...{ folder, role: 'writer', seed: roundSeed * 4 + at, ...habit },
        ...request.writer,
      };
      return start(script, settings, clocks[at]);
    });
    const consolidator = start(
      request.consolidatorScript ?? script,
      { folder, role: 'consolidator', seed: roundSeed, stopEvery: 101 + chance(22) },
      clocks[4],
    );
    const all = [...writers, consolidator];
    for (const each of all) each.on('stalled', (message) => void letGo(each, message));
    await Promise.all(all.map((each) => each.next('ready')));
    const merges = () => consolidator.of('consolidated').filter(([, merged]) => Number(merged) > 0).length;
    const areAtWork = () => writers.every((each) => each.of('acknowledged').length >= 10);
    await until(() => areAtWork() && merges() >= 2, 2 * longestWait);
    await wait(chance(0));
    // One stalls at a random moment, past every limit at times, and goes on while others work.
    const stalled = all[chance(1) % all.length]!;
    stalled.stop();
    await wait(sums.rounds % 6 === 5 ? 9_000 : 500);
    await stalled.resume();
    await wait(chance(2));
    // In every other round the consolidating process takes care of what the dead have left before it dies too.
    const delay = (at: number) => chance(3 + at) + (at === 4 && sums.rounds % 2 === 1 ? 600 : 0);
    await Promise.all(all.map(async (each, at) => wait(delay(at)).then(() => each.kill())));
    sums.rounds += 1;
    sums.kills += all.length;
    sums.stalls += 1 + all.reduce((sum, each) => sum + each.of('stalled').length, 0);
    sums.consolidations += merges();
    for (const each of writers) oracle.take(each.messages);
    for (const each of all) complain(oracle, each.of('error'), 'reported');
    for (const each of writers) {
      for (const [, seen, own] of each.of('read') as [string, Seen, Stamp][])
        oracle.judgeOwnRead(timed(seen, clocks), own);
    }
    const seen = reader.of('seen');
    oracle.judgeReader(
      'reader',
      seen.slice(readings).map(([, each]) => timed(each as Seen, clocks)),
    );
    readings = seen.length;
    complain(oracle, reader.of('error'), 'the reader reported');
    await judgeAtRest(oracle, folder);
  }
  await reader.kill();
  oracle.wrong.push(...(await unreadable(folder)));
  return {
    ...sums,
    wrong: oracle.wrong,
    flushes: oracle.acknowledged,
    changes: oracle.acknowledgedChanges,
    lookups: Number(reader.of('watched').at(-1)?.[1] ?? 0),
  };
}

/** Reads every key anew once nobody is left who writes. */
export async function judgeAtRest(oracle: Oracle, folder: string): Promise<void> {
  const tier = new DiskTier({
    options: resolveDiskOptions({
      persistDir: folder,
      mode: 'multi',
      consolidateInterval: null,
      flushOnExit: false,
    }),
    clock: systemClock,
    onError: (error) => oracle.wrong.push(`reading reported: ${error.message}`),
  });
  await tier.open();
  for (const number of oracle.numbers) {
    const method = methodOf(number);
    const key = createHash('md5').update(`${method}:${number}`).digest('hex');
    const record = await tier.lookup(key, method);
    const text = record === undefined ? undefined : Buffer.from(record.encoded).toString('latin1');
    const value = text === undefined ? null : (/<([^<>]*)>/.exec(text)?.[1] ?? 'garbage');
    oracle.judgeAtRest({ number, value, stamp: record?.stamp ?? null });
  }
  await tier.close();
}

/** What of the folder does not load. */
export async function unreadable(folder: string): Promise<string[]> {
  const report = await inspectFiles([folder]);
  const wrong = report.files
    .flatMap(({ damage }) => damage)
    .map((damage) => `does not load: ${String(damage)}`);
  if (readdirSync(folder).includes('quarantine')) wrong.push('does not load: a file is in quarantine');
  return wrong;
}

/** A process has stopped itself. At an append it goes on once its file has been taken away, else after a moment. */
async function letGo(child: Child, [, step, path]: Message): Promise<void> {
  await wait(100);
  if (String(step).endsWith('append')) await until(() => !existsSync(String(path)), longestWait / 4);
  await child.resume();
}

/** Where clocks differ, the time of a reading tells nothing of what came before. */
function timed(seen: Seen, clocks: readonly unknown[]): Seen {
  const { at, ...rest } = seen;
  return clocks.length === 0 && at !== undefined ? { ...rest, at } : rest;
}

function complain(oracle: Oracle, messages: readonly Message[], who: string): void {
  for (const [, text] of messages) oracle.wrong.push(`${who}: ${String(text)}`);
}
