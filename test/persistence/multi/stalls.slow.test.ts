/** Processes that stop in the middle of a step, past every time limit, and go on: what others did meanwhile stays done. */

import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stamp } from '../../../src/stamp.js';
import { buildScript, type Child, killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { Oracle, type Seen } from './oracle.js';
import type { Settings } from './process.js';
import { judgeAtRest, start, unreadable, until } from './rounds.js';

const rounds = Number(process.env['TOOLSTASH_ROUNDS'] ?? 1);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const longestWait = 30_000;
let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('stalls');
  script = await buildScript(fileURLToPath(new URL('process.ts', import.meta.url)), join(work, 'honest'));
});

afterAll(async () => {
  await killChildren();
  rmSync(work, { recursive: true, force: true });
});

const merges = (child: Child) => child.of('consolidated').filter(([, merged]) => Number(merged) > 0).length;

/** Resolves once the consolidating process has merged so many more groups. */
async function mergesMore(child: Child, count: number): Promise<void> {
  const before = merges(child);
  expect(await until(() => merges(child) >= before + count, longestWait)).toBe(true);
}

/** Dates what a stalled process holds and was making some hours back, as if it had stalled for so long. */
function age(folder: string, stalled: Child): void {
  const [, writer] = stalled.of('ready')[0] ?? [];
  const held = ['.consolidation.lock', '.claim.lock', `.presence/.${String(writer)}.lock`];
  const made = stalled.of('temporary').map(([, path]) => String(path));
  const date = new Date(Date.now() - 3 * 3_600_000);
  for (const path of [...held.map((name) => join(folder, name)), ...made]) {
    if (existsSync(path)) utimesSync(path, date, date);
  }
}

describe('a stalled process', () => {
  it(
    'that was consolidating harms nothing when it goes on after another has taken its place',
    async () => {
      const folder = mkdtempSync(join(work, 'cache-'));
      const oracle = new Oracle();
      const first = start(script, { folder, role: 'first', seed });
      await first.ended;
      oracle.take(first.messages);
      const writers = [1, 2].map((at) =>
        start(script, { folder, role: 'writer', seed: seed + at, pause: 30 }),
      );
      const other = start(script, { folder, role: 'consolidator', seed });
      const reader = start(script, { folder, role: 'reader', seed });
      await Promise.all([...writers, other, reader].map((each) => each.next('ready')));
      oracle.startReader('reader');
      const steps: string[] = [];
      for (let count = 0; count < rounds / 2; count += 1) {
        // Every step of a consolidation comes up in the long form.
        const stopOnce = 1 + ((seed + count * 7) % 40);
        const stalling = start(script, { folder, role: 'consolidator', seed: seed + count, stopOnce });
        const [, step] = await stalling.next('stalled');
        steps.push(String(step));
        age(folder, stalling);
        await mergesMore(other, 2);
        const ended = stalling.next('consolidated');
        await stalling.resume();
        await ended;
        await stalling.kill();
        for (const [, text] of stalling.of('error')) oracle.wrong.push(`reported: ${String(text)}`);
      }
      await Promise.all([...writers, other].map((each) => each.kill()));
      for (const each of writers) oracle.take(each.messages);
      for (const [, seen, own] of writers.flatMap((each) => each.of('read')))
        oracle.judgeOwnRead(seen as Seen, own as Stamp);
      await reader.kill();
      oracle.judgeReader(
        'reader',
        reader.of('seen').map(([, seen]) => seen as Seen),
      );
      await judgeAtRest(oracle, folder);
      for (const each of [...writers, other, reader]) {
        for (const [, text] of each.of('error')) oracle.wrong.push(`reported: ${String(text)}`);
      }
      oracle.wrong.push(...(await unreadable(folder)));
      console.log(
        `seed ${seed}: ${steps.length} takeovers from consolidations stalled ${[...new Set(steps)].join(', ')}; ` +
          `${oracle.acknowledged} flushes acknowledged; ${oracle.wrong.length} wrong`,
      );
      expect(oracle.wrong.slice(0, 20)).toEqual([]);
    },
    60_000 + rounds * 90_000,
  );

  it('that dies having appended to a file that was being merged takes nothing of others with it', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const settings: Settings = { folder, role: 'node', seed, stopEvery: 1 };
    const dying = start(script, settings);
    const merging = start(script, settings);
    const other = start(script, { folder, role: 'node', seed });
    await Promise.all([dying, merging, other].map((each) => each.next('ready')));
    await passing(dying, () => order(dying, 'set 2 dying'));
    await order(other, 'set 0 other');
    dying.send('set 0 dying');
    await stoppedAt(dying, 'before append', '.cache');
    // Until its file, and the other's, count as closed.
    await wait(500);
    merging.send('consolidate');
    await stoppedAt(merging, 'before append', '.tmp');
    await dying.resume();
    await stoppedAt(dying, 'after append', '.cache');
    // When it goes on, what was just appended comes into its index first, then the merge goes on.
    await wait(500);
    const merged = merging.next('consolidated');
    await passing(merging, async () => {
      await merging.resume();
      expect(Number((await merged)[1])).toBeGreaterThan(0);
      await dying.kill();
      const newest = await read(merging, 0);
      expect(['other', 'dying']).toContain(newest);
      await order(other, 'set 4 other');
      await order(other, 'consolidate');
      await order(merging, 'consolidate');
      expect(await read(merging, 0)).toBe(newest);
      expect(await read(other, 0)).toBe(newest);
    });
    await Promise.all([merging, other].map((each) => each.kill()));
    const oracle = new Oracle();
    for (const each of [dying, other]) oracle.take(each.messages);
    await judgeAtRest(oracle, folder);
    expect(oracle.wrong).toEqual([]);
    expect([dying, merging, other].flatMap((each) => each.of('error'))).toEqual([]);
  }, 120_000);

  it('that had the folder alone notices that another has it now, and harms nothing', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const oracle = new Oracle();
    const settings: Settings = { folder, role: 'node', seed, mode: 'single', stopOnce: 20 };
    const holder = start(script, settings);
    await holder.next('ready');
    for (const number of [0, 2, 4]) await order(holder, `set ${number} holder`);
    for (const number of [0, 2, 4]) expect(await read(holder, number)).toBe('holder');
    // It stops in the middle of a write of which nobody knows yet.
    const stalled = holder.next('stalled');
    const written = holder.next('obeyed');
    let sent = 4;
    const sendMore = () => {
      if (holder.of('stalled').length > 0) return;
      sent += 2;
      holder.send(`set ${sent} holder`);
    };
    holder.on('obeyed', sendMore);
    sendMore();
    await stalled;
    const heir = await takeOver(folder);
    for (const number of [0, 2, 4]) expect(await read(heir, number)).toBe('holder');
    for (const text of ['set 0 heir', 'delete 2', 'set 100 heir', 'consolidate']) await order(heir, text);
    const told = holder.next('error');
    await holder.resume();
    expect((await told)[1]).toMatch(/^ERR_DIRECTORY_TAKEN: The lock on .* was lost/);
    await written;
    // What the heir has done meanwhile is taken in.
    const soon = { timeout: longestWait };
    await expect.poll(() => read(holder, 100), soon).toBe('heir');
    expect(await read(holder, 0)).toBe('heir');
    expect(await read(holder, 2)).toBeNull();
    // Both go on beside each other, and each takes the other's files for closed.
    for (const each of [holder, heir, holder]) {
      await order(each, `set ${200 + oracle.acknowledged} both`);
      await order(each, 'consolidate');
    }
    expect(await read(holder, 0)).toBe('heir');
    expect(await read(holder, 2)).toBeNull();
    expect(await read(holder, 4)).toBe('holder');
    expect(await read(holder, 100)).toBe('heir');
    await heir.kill();
    await order(holder, 'set 102 holder');
    await holder.kill();
    for (const each of [holder, heir]) oracle.take(each.messages);
    await judgeAtRest(oracle, folder);
    oracle.wrong.push(...(await unreadable(folder)));
    const errors = [...holder.of('error').slice(1), ...heir.of('error')];
    console.log(
      `seed ${seed}: a claim taken over; ${oracle.acknowledged} flushes acknowledged; ${oracle.wrong.length} wrong`,
    );
    expect(oracle.wrong).toEqual([]);
    expect(errors).toEqual([]);
  }, 120_000);
});

/** Lets a process that stops at every step go on each time, until the task has ended. */
async function passing(child: Child, task: () => Promise<void>): Promise<void> {
  let isPassing = true;
  child.on('stalled', () => {
    if (isPassing) void child.resume();
  });
  await task();
  isPassing = false;
}

/** Lets a process that stops at every step go on until it comes to this one, of a file that ends so. */
async function stoppedAt(child: Child, step: string, end: string): Promise<void> {
  for (;;) {
    const [, at, path] = await child.next('stalled');
    if (at === step && String(path).endsWith(end)) return;
    await child.resume();
  }
}

async function order(child: Child, text: string): Promise<void> {
  const obeyed = child.next('obeyed');
  child.send(text);
  await obeyed;
}

async function read(child: Child, number: number): Promise<string | null> {
  const told = child.next('read');
  child.send(`read ${number}`);
  return ((await told)[1] as Seen).value;
}

/** A process that gets the folder for itself, as soon as its holder counts as gone. */
async function takeOver(folder: string): Promise<Child> {
  for (const end = Date.now() + longestWait; ; ) {
    const heir = start(script, { folder, role: 'node', seed: seed + 1, mode: 'single' });
    try {
      await heir.next('ready');
      return heir;
    } catch (error) {
      const isTaken = await heir.ended.catch((cause: Error) => cause.message.includes('is taken by'));
      if (isTaken !== true || Date.now() > end) throw error;
    }
  }
}
