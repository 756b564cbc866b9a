/** Every file operation fails once in every way: afterwards acknowledged entries are there, and nothing is wrong. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DiskOptions } from '../../src/persistence/disk-options.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';
import {
  type Fault,
  FaultyFileSystem,
  faults,
  type PowerLoss,
  powerLosses,
} from '../helper/faulty-file-system.js';
import { inForm } from '../helper/form.js';

const folder = '/data/cache';
const options: DiskOptions = {
  persistDir: folder,
  partitionBytes: 15_000,
  durability: 'disk',
  closeAfter: 60_000,
};
const keys = 8;

/** What may be read of each key: the acknowledged value, and those set after it. */
class Oracle {
  readonly allowed = new Map<number, unknown[]>();
  readonly newest = new Map<number, unknown>();

  set(key: number, value: unknown): void {
    this.newest.set(key, value);
    this.allowed.set(key, [...(this.allowed.get(key) ?? [undefined]), value]);
  }

  acknowledge(): void {
    for (const [key, value] of this.newest) this.allowed.set(key, [value]);
  }
}

interface Run {
  readonly files: FaultyFileSystem;
  readonly clock: FakeClock;
  readonly oracle: Oracle;
}

/** A value that does not compress, told apart by its key and round. */
function valueFor(key: number, round: number): string {
  const noise = Array.from({ length: 8 }, (_, at) =>
    createHash('sha512').update(`${key} ${round} ${at}`).digest('hex'),
  );
  return `${key}:${round}:${noise.join('')}`;
}

/** A folder with a past: a good file, one with a damaged member in its middle, one cut short, and a leftover. */
async function makePast(): Promise<Run> {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  const oracle = new Oracle();
  const past = makeDiskTier({ ...options, files, clock, partitionBytes: 1_000_000 });
  for (let round = 0; round < 3; round += 1) {
    for (let key = 0; key < 3; key += 1) {
      past.set('search', key, valueFor(key, round));
      oracle.set(key, valueFor(key, round));
    }
    past.set('fetch', 100 + round, 'in a member of its own');
    await past.tier.flush();
  }
  await past.tier.close();
  oracle.acknowledge();
  for (const path of files.paths()) {
    const bytes = files.peek(path);
    if (path.includes('06a943c5')) continue;
    // The second of three members of `fetch` loses a byte to the disk.
    const second = bytes.indexOf(Buffer.of(0x1f, 0x8b, 8), 10);
    bytes[second + 50]! ^= 0xff;
    files.plant(path, bytes);
  }
  const search = files.paths().find((path) => path.includes('06a943c5'))!;
  files.plant(search.replace('_0.cache', '_1.cache'), files.peek(search).subarray(0, 700));
  files.plant(`${folder}/2026-11/.${'ab'.repeat(16)}.tmp`, Buffer.from('left behind'));
  clock.advance(3_600_000);
  return { files, clock, oracle };
}

/** Opens, repairs, writes, rolls over, reads, deletes, loads and closes; what fails is tried again at the end. */
async function play(run: Run): Promise<void> {
  const { files, clock, oracle } = run;
  const one = makeDiskTier({ ...options, files, clock });
  const attempt = async (step: () => Promise<unknown>) =>
    step().then(
      () => true,
      (error: unknown) => {
        if (error instanceof Wrong) throw error;
        return false;
      },
    );
  await attempt(() => one.tier.open());
  for (let round = 10; round < 14; round += 1) {
    for (let key = 0; key < keys; key += 1) {
      if ((key + round) % 3 === 0) continue;
      one.set('search', key, valueFor(key, round));
      oracle.set(key, valueFor(key, round));
    }
    if (round === 12) {
      one.delete('search', 2);
      oracle.set(2, undefined);
    }
    if (await attempt(() => one.tier.flush())) oracle.acknowledge();
    await attempt(() => check(one, oracle, 'while it runs'));
    clock.advance(5_000);
  }
  await attempt(() => one.tier.load({ mode: 'full' }));
  if (await attempt(() => one.tier.close())) oracle.acknowledge();
}

async function check(tier: TestTier, oracle: Oracle, when: string): Promise<void> {
  for (const [key, allowed] of oracle.allowed) {
    const value = await tier.get('search', key);
    const isAllowed = allowed.includes(value);
    if (!isAllowed) {
      throw new Wrong(`${when}, key ${key} is ${brief(value)} instead of ${allowed.map(brief).join(' or ')}`);
    }
  }
}

class Wrong extends Error {}

function brief(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 8) : String(value);
}

/** One run with one fault; throws when anything is wrong afterwards. */
async function survive(at: number, fault: Fault, loss: PowerLoss | undefined): Promise<boolean> {
  const run = await makePast();
  const base = run.files.calls.length;
  run.files.failAt(base + at, fault);
  await play(run);
  const { wasReached } = run.files;
  run.files.heal();
  const files = loss === undefined ? run.files : run.files.afterPowerLoss(loss);
  for (let restart = 0; restart < 2; restart += 1) {
    run.clock.advance(3_600_000);
    const after = makeDiskTier({ ...options, files, clock: run.clock });
    await after.tier.open();
    await check(after, run.oracle, `after restart ${restart}`);
    if ((await after.get('fetch', 102)) !== 'in a member of its own')
      throw new Wrong('a good member is lost');
    await after.tier.close();
  }
  const failed = /^(append|sync) (.*)$/.exec(run.files.calls[base + at] ?? '');
  const isTouchedAgain =
    failed !== null && run.files.calls.indexOf(`append ${failed[2]}`, base + at + 1) >= 0;
  if (isTouchedAgain) throw new Wrong('a file was appended to after it had failed');
  const leftovers = files.paths().filter((path) => path.endsWith('.tmp'));
  if (leftovers.length > 0) throw new Wrong(`left behind: ${leftovers.join(', ')}`);
  return wasReached;
}

describe('the disk tier on a failing disk', () => {
  it('survives every fault at every file operation', async () => {
    const recording = await makePast();
    const base = recording.files.calls.length;
    await play(recording);
    const calls = recording.files.calls.slice(base);
    const operations = new Set(calls.map((call) => call.split(' ')[0]));
    expect([...operations].sort()).toEqual(
      [
        'append',
        'close',
        'create',
        'fileStatus',
        'link',
        'list',
        'makeFolder',
        'openToRead',
        'read',
        'readSync',
        'rename',
      ]
        .concat(['status', 'sync', 'syncFolder', 'unlink'])
        .sort(),
    );
    expect(recording.files.openFiles).toBe(0);
    const wrong: string[] = [];
    const unreached: string[] = [];
    let runs = 0;
    const every = inForm({ short: 11, long: 1 });
    for (let at = 0; at < calls.length; at += 1) {
      for (const [number, fault] of faults.entries()) {
        if ((at + number) % every !== 0) continue;
        for (const loss of fault === 'power' ? powerLosses : [undefined]) {
          runs += 1;
          const name = `${fault}${loss === undefined ? '' : ` (${loss})`} at ${at}: ${calls[at]}`;
          try {
            if (!(await survive(at, fault, loss))) unreached.push(name);
          } catch (error) {
            wrong.push(`${name}: ${(error as Error).message}`);
          }
        }
      }
    }
    console.log(
      `${calls.length} points × ${faults.length} faults (power in ${powerLosses.length} ways): ${runs} runs`,
    );
    expect(wrong).toEqual([]);
    expect(unreached).toEqual([]);
  });
});
