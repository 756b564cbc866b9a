/** Many real processes on one folder, killed and stalled at random: nothing acknowledged is lost, nothing deleted comes back. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareStamps, type Stamp } from '../../../src/stamp.js';
import { buildScript, killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { keyCount, type Seen } from './oracle.js';
import { type RoundsOutcome, runRounds, start, until } from './rounds.js';

const rounds = Number(process.env['TOOLSTASH_ROUNDS'] ?? 1);
const operations = Number(process.env['TOOLSTASH_OPERATIONS'] ?? 150);
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('multi');
  script = await buildScript(entry(), join(work, 'honest'));
});

afterAll(async () => {
  await killChildren();
  rmSync(work, { recursive: true, force: true });
});

const entry = () => fileURLToPath(new URL('process.ts', import.meta.url));
const makeFolder = () => mkdtempSync(join(work, 'cache-'));

describe('many processes on one folder', () => {
  it(
    'lose nothing acknowledged and bring nothing deleted back, killed and stalled at random',
    async () => {
      const outcome = await runRounds({ folder: makeFolder(), rounds, seed, script });
      print(outcome);
      expect(outcome.wrong.slice(0, 20)).toEqual([]);
      expect(outcome.consolidations).toBeGreaterThan(0);
      expect(outcome.flushes).toBeGreaterThan(rounds * 10);
      expect(outcome.lookups).toBeGreaterThan(rounds * 100);
    },
    60_000 + rounds * 60_000,
  );

  it('are caught when an owner does not look whether its path still leads to its file', async () => {
    // All stop often, so that their files are taken from them.
    const writer = { isBlind: true, stopEvery: 41 };
    const outcome = await runRounds({ folder: makeFolder(), rounds: 10, seed, script, writer });
    console.log(`seed ${seed}: the blind owner was caught in round ${outcome.rounds}: ${outcome.wrong[0]}`);
    expect(outcome.wrong.length).toBeGreaterThan(0);
  }, 600_000);

  it('are caught when a consolidation drops deletions at once', async () => {
    const consolidatorScript = await buildScript(entry(), join(work, 'forgetful'), {
      file: 'group-rules.ts',
      from: /keepsTombstone: .*/,
      to: 'keepsTombstone: () => false,',
    });
    // Many keys, so that not every one that comes back is written again at once.
    const writer = { keys: 950 };
    const outcome = await runRounds({
      ...{ folder: makeFolder(), rounds: 20, seed, script, consolidatorScript, writer },
    });
    console.log(`seed ${seed}: the forgetful was caught in round ${outcome.rounds}: ${outcome.wrong[0]}`);
    expect(outcome.wrong.length).toBeGreaterThan(0);
  }, 600_000);

  it(
    'agree with a model once they are at rest',
    async () => {
      const folder = makeFolder();
      const processes = Array.from({ length: 8 }, (_, at) =>
        start(script, { folder, role: 'operator', seed: seed + at, operations }),
      );
      const consolidator = start(script, { folder, role: 'consolidator', seed });
      const changes = new Map<number, { value: string | null; stamp: Stamp }>();
      await Promise.all(processes.map((each) => each.next('done')));
      await wait(400);
      await consolidator.kill();
      let count = 0;
      for (const [, told] of processes.flatMap((each) => each.of('changes'))) {
        for (const [number, value, time, writer] of told as [number, string | null, number, string][]) {
          count += 1;
          const known = changes.get(number);
          const stamp = { time, writer };
          if (known === undefined || compareStamps(stamp, known.stamp) > 0)
            changes.set(number, { value, stamp });
        }
      }
      const expected = Array.from({ length: keyCount }, (_, number) => changes.get(number)?.value ?? null);
      const late = start(script, { folder, role: 'node', seed });
      await late.next('ready');
      for (const each of [...processes, late]) {
        const all = each.next('all');
        each.send('all');
        expect((await all)[1]).toEqual(expected);
      }
      const merged = consolidator.of('consolidated').filter(([, number]) => Number(number) > 0).length;
      console.log(`seed ${seed}: ${count} changes by 8 processes, ${merged} consolidations, 0 differences`);
      for (const each of [...processes, consolidator, late]) expect(each.of('error')).toEqual([]);
      await Promise.all([...processes, late].map((each) => each.kill()));
    },
    60_000 + operations * 60,
  );

  // The one assertion on time: how late a process may be is promised. Each is heard here, outside of both.
  it('see what another has acknowledged within an interval and some time to read it', async () => {
    const folder = makeFolder();
    const syncInterval = 100;
    const margin = 9_900;
    const writer = start(script, { folder, role: 'node', seed });
    const reader = start(script, { folder, role: 'reader', seed });
    await Promise.all([writer.next('ready'), reader.next('ready')]);
    const known = new Map<number, string | null>();
    reader.on('seen', ([, seen]) => known.set((seen as Seen).number, (seen as Seen).value));
    const lags: number[] = [];
    const late: string[] = [];
    for (let sample = 0; sample < 40; sample += 1) {
      const number = sample >> 1;
      const value = sample % 2 === 0 ? `${number}:${seed}` : null;
      const acknowledged = writer.next('acknowledged');
      writer.send(value === null ? `delete ${number}` : `set ${number} ${value}`);
      await acknowledged;
      const since = Date.now();
      const isSeen = await until(() => known.get(number) === value, syncInterval + margin);
      if (!isSeen) late.push(`${number} is ${known.get(number)}, not ${value}`);
      lags.push(Date.now() - since);
    }
    await Promise.all([writer.kill(), reader.kill()]);
    console.log(`seed ${seed}: ${lags.length} changes seen, the slowest after ${Math.max(...lags)} ms`);
    expect(late).toEqual([]);
    expect([...writer.of('error'), ...reader.of('error')]).toEqual([]);
  }, 600_000);
});

function print({
  rounds: count,
  kills,
  stalls,
  flushes,
  changes,
  consolidations,
  lookups,
  wrong,
}: RoundsOutcome) {
  const lost = wrong.filter((text) => text.includes('lost')).length;
  const resurrected = wrong.filter((text) => text.includes('resurrected')).length;
  const unreadable = wrong.filter((text) => text.includes('does not load')).length;
  console.log(
    `seed ${seed}: ${count} rounds, ${kills} kills, ${stalls} stalls, ${flushes} flushes of ${changes} changes acknowledged, ` +
      `${consolidations} consolidations, ${lookups} lookups by a reader; ${lost} acknowledged lost, ` +
      `${resurrected} deletions resurrected, ${unreadable} files that do not load, ${wrong.length} wrong in all`,
  );
}
