/** Writers killed at random moments: nothing acknowledged is lost, nothing wrong is read, nothing is left behind. */

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
import { decode } from '../../helper/disk-tier.js';

const kills = Number(process.env['TOOLSTASH_KILLS'] ?? 50);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const keys = 40;
let work: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'toolstash-crash-'));
  // What is built refers to packages.
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(work, 'node_modules'));
  const entry = fileURLToPath(new URL('writer.ts', import.meta.url));
  const outDir = join(work, 'writer');
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
  for (let kill = 0; kill < count; kill += 1) {
    await runWriter(folder, mode, seed + kill, model, outcome);
    outcome.wrong.push(...(await check(folder, model)).map((text) => `after kill ${kill}: ${text}`));
    if (isEnough?.(outcome) === true || outcome.wrong.length > 0) break;
  }
  if (mode === 'honest') await expectClean(folder);
  return outcome;
}

/** Starts a writer, kills it a random moment after it is ready, and takes its messages into the model. */
async function runWriter(folder: string, mode: string, writerSeed: number, model: Model, outcome: Outcome) {
  const child: ChildProcess = spawn(process.execPath, [
    join(work, 'writer', 'writer.js'),
    folder,
    String(writerSeed),
    mode,
  ]);
  const complaints: string[] = [];
  let text = '';
  child.stderr?.on('data', (bytes) => complaints.push(String(bytes)));
  await new Promise<void>((resolve, reject) => {
    const delay =
      Number.parseInt(createHash('md5').update(`${writerSeed}`).digest('hex').slice(0, 4), 16) % 150;
    child.stdout?.on('data', (bytes) => {
      const wasReady = text.includes('["ready"]');
      text += String(bytes);
      // A real wait: the other side is another process.
      if (!wasReady && text.includes('["ready"]')) setTimeout(() => child.kill('SIGKILL'), delay);
    });
    child.on('error', reject);
    child.on('close', (_, signal) => {
      if (signal === 'SIGKILL') resolve();
      else reject(new Error(`The writer ended by itself: ${complaints.join('')}`));
    });
  });
  const attempts = new Map<number, [number, string | null][]>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind, round, changes] = JSON.parse(line) as [string, number, [number, string | null][]];
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

async function check(folder: string, model: Model): Promise<string[]> {
  const errors: CacheError[] = [];
  const tier = openTier(folder, errors);
  const wrong: string[] = [];
  await tier.open();
  for (const [number, allowed] of model) {
    const method = number % 2 === 0 ? 'even' : 'odd';
    const key = createHash('md5').update(`${method}:${number}`).digest('hex');
    const record = await tier.lookup(key, method);
    const value = record === undefined ? null : String(decode(record.encoded)).split(' ')[0]!;
    if (!allowed.includes(value)) wrong.push(`key ${number} is ${value}, not ${allowed.join(' or ')}`);
    // What was read once has been written, so from now on it is this.
    model.set(number, [value]);
  }
  await tier.close();
  wrong.push(...errors.map((error) => `reading reported: ${error.message}`));
  return wrong;
}

/** Once nobody has written for a while, opening cleans up what the dead have left. */
async function expectClean(folder: string): Promise<void> {
  const errors: CacheError[] = [];
  await new Promise((resolve) => setTimeout(resolve, 20));
  const cleaning = openTier(folder, errors, 1);
  await cleaning.open();
  await cleaning.close();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.includes('.tmp') || name.includes('quarantine'))).toEqual([]);
  const { inspectFiles } = await import('../../../src/persistence/inspection.js');
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
