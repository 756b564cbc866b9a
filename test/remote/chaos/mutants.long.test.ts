/**
 * Faults that a chaos run must show: each takes away one of the things that keep machines from wrong answers and from waiting.
 * A gap in the messages it meets too rarely, a turn that is given back without its token costs another load and no answer, and
 * that a message supersedes loads is so twice over, by their watches too: those are for the tests of the contract and of a cache
 * on Redis.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { buildScript, killChildren, type Mutation, makeWorkFolder } from '../../helper/child-process.js';
import { stopServers } from '../../helper/redis-server.js';
import { runChaos } from './chaos.js';

/** As CI's short run of `chaos.slow.test.ts`. */
const seconds = 20;
const work = makeWorkFolder('chaos-mutants');

afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

interface Fault extends Mutation {
  /** It shows by calls that take too long, and not by wrong answers or by a cache that is of no use any more. */
  readonly isSlow?: boolean;
}

const mutants: readonly (readonly [what: string, fault: Fault])[] = [
  [
    'the disk does not hear of changes',
    {
      file: 'manager/tiers/shared-entries.ts',
      from: /tier\.delete\(key, method, deleted\)/,
      to: 'void tier',
    },
  ],
  [
    'an epoch is not looked at, and an older snapshot not noticed',
    {
      file: 'remote/redis-scripts.ts',
      from: /elseif ARGV\[6\] == '1' then isWhole = false/,
      to: '',
    },
  ],
  [
    'changes that could not be sent are dropped',
    {
      file: 'remote/redis-changes.ts',
      from: /const all = this\.#outbox\.all\(\);/,
      to: 'const all = this.#outbox.all(); for (const each of all) this.#outbox.acknowledge(each); all.length = 0;',
    },
  ],
  [
    'entries are answered however long nothing was heard',
    {
      file: 'remote/redis-tier.ts',
      from: /return this\.#link\.contactAt >= since \|\|/,
      to: 'return true ||',
    },
  ],
  [
    'a load is stored whatever was written or deleted meanwhile',
    {
      file: 'remote/redis-scripts.ts',
      from: /if not isToken\(head, ARGV\[4\]\) then return \{'refused'\} end/,
      to: '',
    },
  ],
  [
    'a load is stored where its key was deleted meanwhile',
    {
      file: 'remote/redis-scripts.ts',
      from: /if not isToken\(head, ARGV\[4\]\) then return \{'refused'\} end/,
      to: "if #head > 0 and not isToken(head, ARGV[4]) then return {'refused'} end",
    },
  ],
  [
    'what happened before a connection, or while a folder was away, is not read',
    {
      file: 'remote/redis-space.ts',
      from: /epoch: known!\.epoch, id: known!\.id, run/,
      to: 'epoch: known!.epoch, id: last!, run',
    },
  ],
  [
    'calls have no deadline',
    {
      file: 'remote/call-deadlines.ts',
      from: /performance\.now\(\) \+ this\.#ms/,
      to: '2 ** 30',
      isSlow: true,
    },
  ],
  [
    'a connection that was lost is never made again',
    {
      file: 'remote/redis-link.ts',
      from: /this\.#retry = systemClock\.schedule\(\(\) => void this\.#connect\(\), delay\);/,
      to: 'void delay;',
    },
  ],
];

it.each(mutants)(
  '%s',
  async (_, mutation) => {
    const number = mutants.findIndex(([, each]) => each === mutation);
    const entry = fileURLToPath(new URL('./chaos-process.ts', import.meta.url));
    const script = await buildScript(entry, join(work, String(number)), mutation);
    const { stale, hung, unwell, unhandled, diverged, counts } = await runChaos({
      script,
      work,
      seconds,
      seed: 0,
    });
    console.log(
      mutation.file,
      {
        stale: stale.length,
        hung,
        diverged: diverged.length,
        unwell: unwell.length,
        unhandled: unhandled.length,
      },
      counts,
    );
    const wrong = stale.length + diverged.length + unwell.length + unhandled.length;
    // Without a fault there are no slow reads either, but on a machine that is busy with something else.
    const slow = mutation.isSlow ? hung + Math.max(0, counts['slowReads']! - 2) : 0;
    expect(wrong + slow).toBeGreaterThan(0);
  },
  600_000,
);
