/**
 * Faults that a chaos run must show: each takes away one of the things that keep machines from wrong answers. Those that
 * it meets too rarely (a fill without a token, a gap in the messages) are for the tests of the contract and of a cache on Redis.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { buildScript, killChildren, type Mutation, makeWorkFolder } from '../../helper/child-process.js';
import { stopServers } from '../../helper/redis-server.js';
import { runChaos } from './chaos.js';

const seconds = 14;
const work = makeWorkFolder('chaos-mutants');

afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

const mutants: readonly (readonly [what: string, mutation: Mutation])[] = [
  [
    'the disk does not hear of changes',
    { file: 'manager/shared-entries.ts', from: /tier\.delete\(key, method, stamp\)/, to: 'void tier' },
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
];

it.each(mutants)(
  '%s',
  async (_, mutation) => {
    const number = mutants.findIndex(([, each]) => each === mutation);
    const entry = fileURLToPath(new URL('./chaos-process.ts', import.meta.url));
    const script = await buildScript(entry, join(work, String(number)), mutation);
    const { stale, hung, unhandled, diverged, counts } = await runChaos({ script, work, seconds, seed: 0 });
    console.log(
      mutation.file,
      { stale: stale.length, hung, diverged: diverged.length, unhandled: unhandled.length },
      counts,
    );
    expect(stale.length + hung + diverged.length + unhandled.length).toBeGreaterThan(0);
  },
  600_000,
);
