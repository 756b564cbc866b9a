/** Every file operation of a consolidation fails once in every way: nothing is lost, nothing comes back, the next succeeds. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DiskOptions } from '../../../src/persistence/disk-options.js';
import type { FileSystem } from '../../../src/persistence/file-system.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../../helper/disk-tier.js';
import {
  type Fault,
  FaultyFileSystem,
  faults,
  type PowerLoss,
  powerLosses,
} from '../../helper/faulty-file-system.js';
import { inForm } from '../../helper/form.js';

const folder = '/data/cache';
const day = 86_400_000;
const options: DiskOptions = { persistDir: folder, durability: 'disk', closeAfter: 60_000 };

interface Run {
  readonly files: FaultyFileSystem;
  readonly clock: FakeClock;
  readonly expected: ReadonlyMap<string, unknown>;
}

function noise(key: number, round: number): string {
  return `${key}/${round} ${createHash('sha512').update(`${key} ${round}`).digest('base64')}`;
}

/** Several writers' files of two methods and days: overwritten, deleted, cleared, expired, and what is left. */
async function makePast(): Promise<Run> {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const expected = new Map<string, unknown>();
  for (let round = 0; round < 5; round += 1) {
    const one = makeDiskTier({ ...options, files, clock });
    await one.tier.open();
    for (let key = 0; key < 6; key += 1) {
      if ((key + round) % 3 === 0) continue;
      const expiresAt = key === 5 ? clock.now() + 1_000 : null;
      one.set('search', key, noise(key, round), { expiresAt });
      expected.set(`search ${key}`, expiresAt === null ? noise(key, round) : undefined);
    }
    one.set('search', 20 + round, noise(20, round));
    expected.set(`search ${20 + round}`, noise(20, round));
    one.set('fetch', round, noise(round, 100));
    expected.set(`fetch ${round}`, noise(round, 100));
    if (round === 2) {
      one.tier.clear('fetch', one.stamps.next());
      for (let key = 0; key <= round; key += 1) expected.set(`fetch ${key}`, undefined);
    }
    if (round === 3) {
      one.delete('search', 1);
      expected.set('search 1', undefined);
    }
    await one.tier.close();
    clock.advance(round === 1 ? day : 1_000);
  }
  clock.advance(3 * 3_600_000);
  return { files, clock, expected };
}

async function wrongAnswers(one: TestTier, expected: Run['expected']): Promise<string[]> {
  const wrong: string[] = [];
  for (const [call, value] of expected) {
    const [method, key] = call.split(' ') as [string, string];
    const found = await one.get(method, Number(key));
    if (found !== value)
      wrong.push(`${call} is ${String(found).slice(0, 8)}, not ${String(value).slice(0, 8)}`);
  }
  return wrong;
}

/** Opens, consolidates and closes; what fails is left to the next. */
async function play({ files, clock }: Run): Promise<void> {
  const one = makeDiskTier({ ...options, files, clock, mode: 'multi' });
  const attempt = (step: () => Promise<unknown>) => step().catch(() => undefined);
  await attempt(() => one.tier.open());
  await attempt(() => one.tier.consolidate());
  await attempt(() => one.tier.close());
}

/** The same files, with something done before every operation that changes a name or reads a folder. */
function interrupted(files: FaultyFileSystem, between: (operation: string) => Promise<void>): FileSystem {
  const before =
    <A extends unknown[], R>(operation: string, run: (...rest: A) => Promise<R>) =>
    async (...rest: A): Promise<R> => {
      await between(operation);
      return run.apply(files, rest);
    };
  return {
    openToRead: before('openToRead', files.openToRead),
    openToAppend: before('openToAppend', files.openToAppend),
    create: before('create', files.create),
    list: before('list', files.list),
    status: before('status', files.status),
    makeFolder: before('makeFolder', files.makeFolder),
    link: before('link', files.link),
    rename: before('rename', files.rename),
    unlink: before('unlink', files.unlink),
    syncFolder: before('syncFolder', files.syncFolder),
  };
}

async function survive(at: number, fault: Fault, loss: PowerLoss | undefined): Promise<string[]> {
  const run = await makePast();
  run.files.failAt(run.files.calls.length + at, fault);
  const wrong: string[] = [];
  await play(run);
  run.files.heal();
  const files = loss === undefined ? run.files : run.files.afterPowerLoss(loss);
  for (const restart of ['restart', 'second restart']) {
    run.clock.advance(3_600_000);
    const after = makeDiskTier({ ...options, files, clock: run.clock });
    await after.tier.open();
    wrong.push(...(await wrongAnswers(after, run.expected)).map((text) => `${text} after ${restart}`));
    const report = await after.tier.consolidate();
    if (report.failures > 0) wrong.push(`consolidating failed after ${restart}`);
    wrong.push(...(await wrongAnswers(after, run.expected)).map((text) => `${text} consolidated`));
    await after.tier.close();
  }
  const left = files.paths();
  if (left.length !== 3) wrong.push(`left: ${left.join(', ')}`);
  return wrong;
}

describe('a consolidation on a failing disk', () => {
  it('survives every fault at every file operation, and so does the next', async () => {
    const recording = await makePast();
    const base = recording.files.calls.length;
    // Alone, so that every call belongs to opening and consolidating.
    const alone = makeDiskTier({ ...options, files: recording.files, clock: recording.clock, mode: 'multi' });
    await alone.tier.open();
    await alone.tier.consolidate();
    expect(await wrongAnswers(alone, recording.expected)).toEqual([]);
    await alone.tier.close();
    const calls = recording.files.calls.slice(base);
    const operations = new Set(calls.map((call) => call.split(' ')[0]));
    for (const operation of ['link', 'unlink', 'create', 'append', 'sync', 'syncFolder', 'read'])
      expect(operations).toContain(operation);
    expect(recording.files.paths()).toHaveLength(3);
    expect(recording.files.openFiles).toBe(0);
    const every = Number(process.env['TOOLSTASH_FAULT_STEP'] ?? inForm({ short: 97, long: 23 }));
    const wrong: string[] = [];
    let runs = 0;
    for (let at = 0; at < calls.length; at += 1) {
      for (const [number, fault] of faults.entries()) {
        for (const loss of fault === 'power' ? powerLosses : [undefined]) {
          if ((at + number) % every !== 0) continue;
          runs += 1;
          const found = await survive(at, fault, loss);
          if (found.length > 0)
            wrong.push(`${fault} ${loss ?? ''} at ${at}: ${found.slice(0, 3).join('; ')}`);
        }
      }
    }
    console.log(`${calls.length} calls; ${runs} runs`);
    expect(wrong).toEqual([]);
  }, 3_600_000);

  it('hides nothing from other processes, nor from its own lookups, at whatever step it is', async () => {
    const run = await makePast();
    const { clock, expected } = run;
    const two = makeDiskTier({ ...options, files: run.files, clock, mode: 'multi' });
    await two.tier.open();
    const steps: string[] = [];
    const wrong: string[] = [];
    let isWatching = false;
    const files = interrupted(run.files, async (operation) => {
      if (!isWatching) return;
      steps.push(operation);
      const fresh = makeDiskTier({ ...options, files: run.files, clock, mode: 'multi' });
      for (const [name, reader] of Object.entries({ two, fresh })) {
        for (const text of await wrongAnswers(reader, expected))
          wrong.push(`${text} to ${name} before ${operation}`);
      }
      await fresh.tier.close();
    });
    const one = makeDiskTier({ ...options, files, clock, mode: 'multi' });
    await one.tier.open();
    isWatching = true;
    let isDone = false;
    const own = (async () => {
      while (!isDone) {
        for (const text of await wrongAnswers(one, expected)) wrong.push(`${text} to itself`);
        await new Promise(setImmediate);
      }
    })();
    await one.tier.consolidate();
    isDone = true;
    await own;
    await one.tier.close();
    await two.tier.close();
    expect(wrong).toEqual([]);
    expect(steps.length).toBeGreaterThan(100);
    expect(steps).toContain('unlink');
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  for (const moment of ['before', 'after'] as const) {
    it(`takes nothing from an owner that stalled right ${moment} its append`, async () => {
      const { files, clock } = await makePast();
      const two = makeDiskTier({ ...options, files, clock, mode: 'multi' });
      await two.tier.open();
      let stall: () => Promise<void> = () => Promise.resolve();
      const owners: FileSystem = {
        ...interrupted(files, () => Promise.resolve()),
        async create(path, mode) {
          const file = await files.create(path, mode);
          return {
            ...file,
            async append(bytes) {
              if (moment === 'before') await stall();
              const taken = await file.append(bytes);
              if (moment === 'after') await stall();
              return taken;
            },
          };
        },
      };
      const one = makeDiskTier({ ...options, files: owners, clock, mode: 'multi' });
      one.set('search', 50, 'before');
      await one.tier.flush();
      stall = async () => {
        stall = () => Promise.resolve();
        clock.advance(3_600_000);
        await two.tier.consolidate();
      };
      one.set('search', 51, 'acknowledged');
      one.delete('search', 50);
      await one.tier.flush();
      expect((await two.tier.consolidate()).failures).toBe(0);
      for (const reader of [two, makeDiskTier({ ...options, files, clock })]) {
        await reader.tier.load();
        expect(await reader.get('search', 51)).toBe('acknowledged');
        expect(await reader.get('search', 50)).toBeUndefined();
      }
      await one.tier.close();
      await two.tier.close();
    });
  }
});
