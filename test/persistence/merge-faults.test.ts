/** Every file operation of a merge of folders, and of the recovery after it, fails once in every way: never a third answer. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DiskOptions } from '../../src/persistence/disk-options.js';
import { mergeDirectories } from '../../src/persistence/offline/merge-directories.js';
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

const day = 86_400_000;
const into = '/data/into';
const nodes = ['/data/a', '/data/b', '/data/c'];
const options: DiskOptions = { durability: 'disk', closeAfter: 60_000 };
const calls = ['search', 'fetch', 'browse'].flatMap((method) =>
  Array.from({ length: 7 }, (_, key) => [method, key] as const),
);

interface Run {
  readonly files: FaultyFileSystem;
  readonly clock: FakeClock;
}

function noise(text: string): string {
  return `${text} ${createHash('sha512').update(text).digest('base64')}`;
}

/**
 * Three nodes' folders and one to merge them into, over two days: each has the newest of some keys; one has deleted,
 * cleared or invalidated what another still has. An earlier merge of the first node was cut off by a loss of power.
 */
async function makePast(): Promise<Run> {
  const files = new FaultyFileSystem();
  const clock = new FakeClock(testStart);
  files.now = () => clock.now();
  let step = 0;
  for (const today of [0, 1]) {
    const open = new Map<string, TestTier>();
    for (const folder of [into, ...nodes])
      open.set(folder, makeDiskTier({ ...options, persistDir: folder, files, clock }));
    for (; step < (today + 1) * 36; step += 1) {
      clock.advance(10);
      const [method, key] = calls[(step * 5) % calls.length]!;
      const one = open.get([...nodes, into][(step * 7) % 4]!)!;
      if (step % 9 === 8) one.delete(method, key);
      else one.set(method, key, noise(`${step}`), step % 4 === 1 ? { tags: ['t'] } : {});
      if (step === 50) open.get(nodes[1]!)!.tier.clear('fetch', one.stamps.next());
      if (step === 60) open.get(nodes[2]!)!.tier.invalidateTag('t', one.stamps.next());
      if (step % 12 === 0) for (const { tier } of open.values()) await tier.flush();
    }
    for (const { tier } of open.values()) await tier.close();
    clock.advance(day);
  }
  const mergeFirst = (disk: FaultyFileSystem) =>
    mergeDirectories([nodes[0]!], into, { ...options, files: disk, clock });
  const rehearsal = copyOf(files);
  await mergeFirst(rehearsal);
  const unlinks = rehearsal.calls.flatMap((call, at) => (call.startsWith('unlink') ? [at] : []));
  const cutOff = copyOf(files);
  cutOff.failAt(unlinks[1]!, 'power');
  await expect(mergeFirst(cutOff)).rejects.toThrow();
  clock.advance(3_600_000);
  return { files: cutOff.afterPowerLoss('half'), clock };
}

/** All that the run's disk holds, on another disk, and the same time. */
function copyRun({ files, clock }: Run): Run {
  const copy = { files: copyOf(files), clock: new FakeClock(clock.now()) };
  copy.files.now = () => copy.clock.now();
  return copy;
}

function copyOf(files: FaultyFileSystem): FaultyFileSystem {
  return files.copy();
}

async function answers(folder: string, { files, clock }: Run): Promise<unknown[]> {
  const one = makeDiskTier({ ...options, persistDir: folder, files, clock });
  try {
    const found: unknown[] = [];
    for (const [method, key] of calls) found.push(await one.get(method, key));
    return found;
  } finally {
    await one.tier.close();
  }
}

/** Merges, then opens what that has come to and reads all of it. */
async function play(run: Run): Promise<{ merge: boolean; read: unknown[] | undefined }> {
  const { files, clock } = run;
  const merge = await mergeDirectories(nodes, into, { ...options, files, clock }).then(
    () => true,
    () => false,
  );
  clock.advance(3_600_000);
  return { merge, read: await answers(into, run).catch(() => undefined) };
}

function sourcesOf(files: FaultyFileSystem): string[] {
  const sources = files.paths().filter((path) => !path.startsWith(`${into}/`));
  return sources.map((path) => `${path} ${createHash('md5').update(files.peek(path)).digest('hex')}`);
}

describe('a merge of folders on a failing disk', () => {
  it('survives every fault at every file operation, and a second merge brings the rest', async () => {
    const past = await makePast();
    const old = await answers(into, copyRun(past));
    const recording = copyRun(past);
    const leftovers = recording.files.paths().filter((path) => path.endsWith('.tmp'));
    expect(leftovers).toHaveLength(1);
    const sources = sourcesOf(recording.files);
    const { merge, read: final = [] } = await play(recording);
    expect(merge).toBe(true);
    expect(recording.files.openFiles).toBe(0);
    const recorded = [...recording.files.calls];
    const changed = final.filter((value, number) => value !== old[number]);
    expect(changed.length).toBeGreaterThan(5);
    expect(changed).toContain(undefined);

    const allowed = (value: unknown, number: number) => value === old[number] || value === final[number];
    const differences = (found: readonly unknown[], isRight: (value: unknown, number: number) => boolean) =>
      found.flatMap((value, number) =>
        isRight(value, number) ? [] : [`${calls[number]!.join(' ')} is ${String(value).slice(0, 8)}`],
      );
    const survive = async (at: number, fault: Fault, loss: PowerLoss | undefined) => {
      const run = copyRun(past);
      run.files.failAt(at, fault);
      const played = await play(run);
      const { wasReached } = run.files;
      run.files.heal();
      const files = loss === undefined ? run.files : run.files.afterPowerLoss(loss);
      const after = { files, clock: run.clock };
      run.clock.advance(3_600_000);
      const wrong = differences(played.read ?? [], allowed).map((text) => `${text} at once`);
      const promised = played.merge ? (value: unknown, number: number) => value === final[number] : allowed;
      wrong.push(...differences(await answers(into, after), promised).map((text) => `${text} afterwards`));
      const again = await mergeDirectories(nodes, into, { ...options, ...after });
      if (again.skipped.length > 0) wrong.push(`skipped ${again.skipped.join(', ')}`);
      const isFinal = (value: unknown, number: number) => value === final[number];
      wrong.push(
        ...differences(await answers(into, after), isFinal).map((text) => `${text} after a second merge`),
      );
      const third = await mergeDirectories([...nodes].reverse(), into, { ...options, ...after });
      if (third.writtenFiles > 0) wrong.push(`the third merge wrote ${third.writtenEntries} entries`);
      if (sourcesOf(files).join() !== sources.join()) wrong.push('a source has changed');
      run.clock.advance(3_600_000);
      await answers(into, after);
      const left = files.paths().filter((path) => path.endsWith('.tmp'));
      if (left.length > 0) wrong.push(`left behind: ${left.join(', ')}`);
      return { wasReached, wrong };
    };

    const every = Number(process.env['TOOLSTASH_FAULT_STEP'] ?? inForm({ short: 97, long: 23 }));
    const wrong: string[] = [];
    const unreached: string[] = [];
    let runs = 0;
    for (let at = 0; at < recorded.length; at += 1) {
      for (const [number, fault] of faults.entries()) {
        for (const loss of fault === 'power' ? powerLosses : [undefined]) {
          if ((at + number) % every !== 0) continue;
          runs += 1;
          const name = `${fault} ${loss ?? ''} at ${at}: ${recorded[at]}`;
          const outcome = await survive(at, fault, loss);
          if (!outcome.wasReached) unreached.push(name);
          if (outcome.wrong.length > 0) wrong.push(`${name}: ${outcome.wrong.slice(0, 3).join('; ')}`);
        }
      }
    }
    console.log(
      `${recorded.length} points × ${faults.length} faults (power in ${powerLosses.length} ways): ${runs} runs`,
    );
    expect(wrong).toEqual([]);
    expect(unreached).toEqual([]);
  }, 3_600_000);
});
