/** Real processes whose clocks are an hour fast, an hour slow, or jump back, on one folder. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { buildScript, type Child, killChildren, makeWorkFolder } from '../../helper/child-process.js';
import {
  type ClockShifter,
  dateShifter,
  findFaketime,
  makeClock,
  type ShiftedClock,
  timeBy,
} from '../../helper/shifted-clock.js';
import { Oracle, type Seen } from './oracle.js';
import { judgeAtRest, runRounds, start, unreadable } from './rounds.js';

const rounds = Math.ceil(Number(process.env['TOOLSTASH_ROUNDS'] ?? 1) / 4);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const hour = 3_600;
let work: string;
let script: string;
let shifter: ClockShifter;
let clocks: { readonly right: ShiftedClock; readonly fast: ShiftedClock; readonly slow: ShiftedClock };

beforeAll(async () => {
  work = makeWorkFolder('clocks');
  script = await buildScript(fileURLToPath(new URL('process.ts', import.meta.url)), join(work, 'honest'));
  const faketime = findFaketime();
  if (typeof faketime === 'string')
    console.log(`No faketime here (${faketime}): ${dateShifter.name} instead`);
  shifter = typeof faketime === 'string' ? dateShifter : faketime;
  clocks = {
    right: makeClock(shifter, work, 'right', 0),
    fast: makeClock(shifter, work, 'fast', hour),
    slow: makeClock(shifter, work, 'slow', -hour),
  };
});

afterAll(async () => {
  await killChildren();
  rmSync(work, { recursive: true, force: true });
});

/** A process that does what it is told, by a clock. */
class Node {
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
  }

  static async start(folder: string, clock: ShiftedClock): Promise<Node> {
    const child = start(script, { folder, role: 'node', seed }, clock.settings);
    await child.next('ready');
    return new Node(child);
  }

  async obey(order: string): Promise<void> {
    const obeyed = this.child.next('obeyed');
    this.child.send(order);
    await obeyed;
  }

  async read(number: number): Promise<string | null> {
    await this.obey('load');
    const read = this.child.next('read');
    await this.obey(`read ${number}`);
    return ((await read)[1] as Seen).value;
  }

  async close(): Promise<void> {
    this.child.send('close');
    await this.child.ended;
  }
}

/** What all of them read, where they agree. */
async function readBy(nodes: readonly Node[], number: number): Promise<string | null> {
  const values = await Promise.all(nodes.map((node) => node.read(number)));
  expect(new Set(values).size, `Expected one value, got ${JSON.stringify(values)}`).toBe(1);
  return values[0]!;
}

describe('processes whose clocks are off', () => {
  it('see the time that the tests want them to see', () => {
    for (const each of new Set([shifter, dateShifter])) {
      for (const seconds of [hour, -hour]) {
        const clock = makeClock(each, work, 'tried', seconds);
        const off = timeBy(clock.settings) - Date.now() - seconds * 1_000;
        // A minute for a machine that is busy; an hour is meant.
        expect(Math.abs(off), each.name).toBeLessThan(60_000);
      }
    }
  });

  it('hold the greatest stamp, and what came after having seen a fast or slow clock', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const right = await Node.start(folder, clocks.right);
    const fast = await Node.start(folder, clocks.fast);
    const slow = await Node.start(folder, clocks.slow);
    const all = [right, fast, slow];
    const ended: Node[] = [...all];
    await fast.obey('set 0 fast');
    expect(await readBy(all, 0)).toBe('fast');
    await right.obey('set 0 right');
    expect(await readBy(all, 0)).toBe('right');
    await slow.obey('set 0 slow');
    expect(await readBy(all, 0)).toBe('slow');

    await fast.obey('set 2 fast');
    expect(await readBy(all, 2)).toBe('fast');
    await slow.obey('delete 2');
    expect(await readBy(all, 2)).toBeNull();

    await fast.obey('set 1 fast');
    expect(await readBy(all, 1)).toBe('fast');
    await slow.obey('clear 1');
    expect(await readBy(all, 1)).toBeNull();
    await right.obey('set 3 right');
    expect(await readBy(all, 3)).toBe('right');

    // By its clock it has expired an hour ago, which is no reason to take it from others.
    await right.obey(`set 4 right ${600_000}`);
    expect(await fast.read(4)).toBeNull();
    expect(await slow.read(4)).toBe('right');

    for (const node of all) {
      await node.obey('consolidate');
      expect(await readBy(all, 0)).toBe('slow');
      expect(await readBy(all, 1)).toBeNull();
      expect(await readBy(all, 2)).toBeNull();
      expect(await readBy(all, 3)).toBe('right');
      expect(await readBy([right, slow], 4)).toBe('right');
    }

    // By nodes that start anew.
    for (const clock of [clocks.slow, clocks.fast, clocks.right]) {
      const node = await Node.start(folder, clock);
      ended.push(node);
      expect(await node.read(0)).toBe('slow');
      expect(await node.read(2)).toBeNull();
      await node.obey('delete 0');
      expect(await readBy([...all, node], 0)).toBeNull();
      await node.obey('set 0 slow');
      await node.close();
    }
    for (const node of all) await node.close();
    await judge(folder, ended);
  });

  it('leave alone what another is making, even if their clock says that it was left behind', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const fast = await Node.start(folder, clocks.fast);
    const merging = start(script, { folder, role: 'node', seed, stopEvery: 1 }, clocks.right.settings);
    await merging.next('ready');
    let looks = 0;
    merging.on('stalled', async ([, , path]) => {
      if (String(path).endsWith('.tmp')) {
        await fast.obey('load');
        looks += 1;
      }
      await merging.resume();
    });
    const right = new Node(merging);
    for (const number of [0, 2, 4]) await right.obey(`set ${number} right`);
    await fast.obey('set 0 fast');
    const consolidated = merging.next('consolidated');
    await right.obey('consolidate');
    expect(Number((await consolidated)[1])).toBeGreaterThan(0);
    expect(looks).toBeGreaterThan(0);
    await right.close();
    await fast.close();
    await judge(folder, [right, fast]);
  });

  it('hold the greatest stamp of those that had not seen each other', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const nodes: Node[] = [];
    const folders: string[] = [];
    for (const clock of ['fast', 'slow', 'right'] as const) {
      const own = mkdtempSync(join(work, 'cache-'));
      const node = await Node.start(own, clocks[clock]);
      await node.obey(`set 0 ${clock}`);
      await node.obey(clock === 'slow' ? 'delete 2' : `set 2 ${clock}`);
      await node.obey(clock === 'fast' ? 'delete 4' : `set 4 ${clock}`);
      await node.close();
      nodes.push(node);
      folders.push(own);
    }
    const merging = new DiskTier({
      options: resolveDiskOptions({ persistDir: folder, flushOnExit: false }),
      clock: systemClock,
      onError: (error) => expect(error).toBeUndefined(),
    });
    await merging.mergeFrom(folders);
    await merging.close();
    const late = await Node.start(folder, clocks.right);
    expect(await late.read(0)).toBe('fast');
    expect(await late.read(2)).toBe('fast');
    expect(await late.read(4)).toBeNull();
    await late.close();
    await judge(folder, [...nodes, late]);
  });

  it('hold what came after a clock jumped back', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const clock = makeClock(shifter, work, 'jumping', 0);
    const jumping = await Node.start(folder, clock);
    const right = await Node.start(folder, clocks.right);
    for (const number of [0, 2, 4, 6]) await jumping.obey(`set ${number} before`);
    clock.set(-hour);
    await jumping.obey('set 0 after');
    await jumping.obey('delete 2');
    expect(await readBy([jumping, right], 0)).toBe('after');
    expect(await readBy([jumping, right], 2)).toBeNull();
    await jumping.obey('consolidate');
    await jumping.close();
    const again = await Node.start(folder, clock);
    await again.obey('delete 4');
    await again.obey('set 6 after');
    await again.obey('consolidate');
    expect(await readBy([again, right], 4)).toBeNull();
    expect(await readBy([again, right], 6)).toBe('after');
    for (const node of [again, right]) await node.close();
    await judge(folder, [jumping, again, right]);
  });

  it(
    'lose nothing acknowledged and bring nothing deleted back, killed and stalled at random',
    async () => {
      const jumping = makeClock(shifter, work, 'at random', 0);
      let jumps = 0;
      const jumper = setInterval(() => {
        jumps += 1;
        jumping.set(jumps % 2 === 0 ? 0 : -hour);
      }, 300);
      const outcome = await runRounds({
        ...{ folder: mkdtempSync(join(work, 'cache-')), rounds, seed, script },
        clocks: [clocks.fast, clocks.slow, jumping, clocks.right, clocks.right].map(
          ({ settings }) => settings,
        ),
      }).finally(() => clearInterval(jumper));
      console.log(
        `seed ${seed}, clocks off by ${shifter.name}: ${outcome.rounds} rounds, ${outcome.kills} kills, ${outcome.stalls} stalls, ${jumps} jumps, ` +
          `${outcome.flushes} flushes acknowledged, ${outcome.consolidations} consolidations, ${outcome.lookups} lookups by a reader; ${outcome.wrong.length} wrong`,
      );
      expect(outcome.wrong.slice(0, 20)).toEqual([]);
      expect(outcome.consolidations).toBeGreaterThan(0);
    },
    60_000 + rounds * 90_000,
  );
});

/** Judges by the stamps that all have told what a process finds that starts anew. */
async function judge(folder: string, nodes: readonly Node[]): Promise<void> {
  const oracle = new Oracle();
  for (const { child } of nodes) oracle.take(child.messages);
  await judgeAtRest(oracle, folder);
  expect(nodes.flatMap(({ child }) => child.of('error'))).toEqual([]);
  expect([...oracle.wrong, ...(await unreadable(folder))]).toEqual([]);
}
