/** Writers killed at random moments: nothing acknowledged is lost, nothing wrong is read, nothing is left behind. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { CacheError } from '../../../src/errors.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { DirectoryTakenError } from '../../../src/persistence/lock/acquire-lock.js';
import { inspectFiles } from '../../../src/persistence/offline/inspection.js';
import { buildScript, Child, killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { decode } from '../../helper/disk-tier.js';
import { inForm } from '../../helper/form.js';

const kills = Number(process.env['TOOLSTASH_KILLS'] ?? inForm({ short: 5, long: 50 }));
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const keys = 40;
const mergeEvery = 20;
let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('crash');
  script = await buildScript(fileURLToPath(new URL('writer.ts', import.meta.url)), join(work, 'writer'));
});

afterAll(async () => {
  await killChildren();
  rmSync(work, { recursive: true, force: true });
});

/** What each key may be: the acknowledged state, and those attempted after it. `null` is deleted. */
type Model = Map<number, (string | null)[]>;

interface Outcome {
  acknowledged: number;
  readonly wrong: string[];
}

describe('killed writers', () => {
  it(
    'lose nothing that was acknowledged',
    async () => {
      const outcome = await crashRun('honest', kills);
      console.log(
        `seed ${seed}: ${kills} kills, ${outcome.acknowledged} flushes acknowledged, ${outcome.wrong.length} wrong`,
      );
      expect(outcome.wrong).toEqual([]);
      expect(outcome.acknowledged).toBeGreaterThan(kills);
    },
    60_000 + kills * 3_000,
  );

  it('are caught when they acknowledge before they write', async () => {
    const outcome = await crashRun('hasty', 60, (found) => found.wrong.length > 0);
    console.log(`seed ${seed}: the hasty writer was caught: ${outcome.wrong[0]}`);
    expect(outcome.wrong.length).toBeGreaterThan(0);
  }, 240_000);
});

async function crashRun(
  mode: string,
  count: number,
  isEnough?: (outcome: Outcome) => boolean,
): Promise<Outcome> {
  const folder = mkdtempSync(join(work, 'cache-'));
  const model: Model = new Map();
  const outcome: Outcome = { acknowledged: 0, wrong: [] };
  // On a busy machine most may be killed before anything is acknowledged: then by others, at other moments.
  const most = isEnough === undefined ? 20 * count : count;
  for (let kill = 0; kill < count || (outcome.acknowledged <= count && kill < most); kill += 1) {
    await runWriter(folder, mode, seed + kill, model, outcome);
    // What many have left is merged from time to time, or opening would take longer and longer.
    const found = await check(folder, model, kill % mergeEvery === mergeEvery - 1);
    outcome.wrong.push(...found.map((text) => `after kill ${kill}: ${text}`));
    if (isEnough?.(outcome) === true || outcome.wrong.length > 0) break;
  }
  if (mode === 'honest') await expectClean(folder);
  return outcome;
}

/** Starts a writer, kills it at a random moment, and takes its messages into the model. */
async function runWriter(folder: string, mode: string, writerSeed: number, model: Model, outcome: Outcome) {
  const child = new Child({ script, args: [folder, String(writerSeed), mode] });
  const random = createHash('md5').update(`${writerSeed}`).digest().readUInt16LE();
  // Mostly while it writes, sometimes while it opens the folder.
  if (random % 5 > 0) await child.next('ready');
  await wait((random >> 3) % 150);
  await child.kill();
  const attempts = new Map<number, [number, string | null][]>();
  for (const [kind, round, changes] of child.messages as [string, number, [number, string | null][]][]) {
    if (kind === 'error') outcome.wrong.push(`a writer reported: ${round}`);
    if (kind === 'attempt') {
      attempts.set(round, changes);
      for (const [key, value] of changes) allow(model, key, value);
    } else if (kind === 'cleared') {
      for (let key = 1; key < keys; key += 2) allow(model, key, null);
      attempts
        .get(round)
        ?.push(...Array.from({ length: keys / 2 }, (_, at): [number, null] => [at * 2 + 1, null]));
    } else if (kind === 'acknowledged') {
      outcome.acknowledged += 1;
      for (const [key, value] of attempts.get(round) ?? []) model.set(key, [value]);
    }
  }
}

function allow(model: Model, key: number, value: string | null): void {
  model.set(key, [...(model.get(key) ?? [null]), value]);
}

async function check(folder: string, model: Model, merges: boolean): Promise<string[]> {
  const errors: CacheError[] = [];
  const tier = openTier(folder, errors);
  const wrong: string[] = [];
  await openOnceFree(tier, errors);
  for (const [number, allowed] of model) {
    const method = number % 2 === 0 ? 'even' : 'odd';
    const key = createHash('md5').update(`${method}:${number}`).digest('hex');
    const record = await tier.lookup(key, method);
    const value = record === undefined ? null : String(decode(record.encoded)).split(' ')[0]!;
    if (!allowed.includes(value)) wrong.push(`key ${number} is ${value}, not ${allowed.join(' or ')}`);
    // What was read once has been written, so from now on it is this.
    model.set(number, [value]);
  }
  if (merges) {
    const { failures } = await tier.consolidate();
    if (failures > 0) wrong.push(`${failures} groups could not be merged`);
  }
  await tier.close();
  if (merges) wrong.push(...(await check(folder, model, false)));
  wrong.push(...errors.map((error) => `reading reported: ${error.message}`));
  return wrong;
}

/**
 * Opens the folder that somebody has died in. One who died before it left its note is not known to be dead until it
 * gives no sign of life for some seconds, and until then the folder is taken.
 */
async function openOnceFree(tier: DiskTier, errors: CacheError[]): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      return await tier.open();
    } catch (error) {
      if (!(error instanceof DirectoryTakenError) || Date.now() > deadline) throw error;
      errors.splice(0);
      await wait(250);
    }
  }
}

/** Once nobody has written for a while, opening cleans up what the dead have left. */
async function expectClean(folder: string): Promise<void> {
  const errors: CacheError[] = [];
  await wait(20);
  // Notes of locks that were being written count as left behind after a minute.
  const anHourAgo = new Date(Date.now() - 3_600_000);
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.tmp')) utimesSync(join(folder, name), anHourAgo, anHourAgo);
  }
  const cleaning = openTier(folder, errors, 1);
  await cleaning.open();
  await cleaning.close();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.includes('.tmp') || name.includes('quarantine'))).toEqual([]);
  const report = await inspectFiles([folder]);
  expect(
    report.files.filter((file) => file.tailBytes > 0 || file.members === 0 || file.damage.length > 0),
  ).toEqual([]);
  expect(errors).toEqual([]);
}

function openTier(folder: string, errors: CacheError[], closeAfter = 600_000): DiskTier {
  return new DiskTier({
    options: resolveDiskOptions({ persistDir: folder, closeAfter, flushOnExit: false }),
    clock: systemClock,
    onError: (error) => errors.push(error),
  });
}
