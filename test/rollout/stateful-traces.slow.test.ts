/**
 * A file system and a car, whose tools are really executed: what rollouts answer of them is what direct execution says,
 * and what a key of name and arguments answers is not.
 */

import { describe, expect, it } from 'vitest';
import { CacheManager, type ResourceEffect } from '../../src/index.js';
import type { EffectDeclarations } from '../../src/rollout/index.js';
import { inForm, isLong } from '../helper/form.js';
import { fileSystem } from './trace/file-system.js';
import { type Begin, naive, play, sharing, Tally } from './trace/play.js';
import type { ToolWorld } from './trace/tool-world.js';
import { vehicle } from './trace/vehicle.js';

const worlds: readonly ToolWorld<unknown>[] = [fileSystem, vehicle];
const seeds = Array.from({ length: inForm({ short: 4, long: 150 }) }, (_, at) => at + 1);

async function tally(
  world: ToolWorld<unknown>,
  begin: (cache: CacheManager, task: string) => Begin,
  { hasEnvironment = false, over = seeds } = {},
): Promise<Tally> {
  const sum = new Tally();
  const cache = new CacheManager({ maxSize: 100_000 });
  for (const seed of over) {
    const trace = { world, seed, rollouts: 8, batches: 40, hasEnvironment };
    await play(trace, begin(cache, `${world.name} ${seed}`), sum);
  }
  await cache.close();
  return sum;
}

const declared =
  (effects: EffectDeclarations) =>
  (cache: CacheManager, task: string): Begin =>
    sharing(cache, effects, task);

type Omission = readonly [seed: number, tool: string, how: 'reads' | 'writes', resource: string];

const omissions: Readonly<Record<string, readonly Omission[]>> = {
  'file system': [
    [1, 'ls', 'reads', 'fs:**'],
    [5, 'pwd', 'reads', 'cwd'],
    [8, 'cat', 'reads', 'cwd'],
    [3, 'view', 'reads', 'fs:{file}'],
    [3, 'cd', 'writes', 'cwd'],
    [4, 'echo', 'writes', 'fs:**'],
    [7, 'rename', 'writes', 'fs:{to}'],
  ],
  vehicle: [
    [1, 'status', 'reads', 'car:{part}'],
    [2, 'range_left', 'reads', 'car:fuel'],
    [11, 'distance_to', 'reads', 'car:at'],
    [1, 'unlock_door', 'writes', 'car:doors/{door}'],
    [11, 'drive', 'writes', 'car:at'],
    [12, 'lock_all', 'writes', 'car:doors/*'],
    [19, 'swap_tires', 'writes', 'car:tires/{a}'],
  ],
};

/** The declarations without one resource. */
function without(effects: EffectDeclarations, [, tool, how, resource]: Omission): EffectDeclarations {
  const effect = effects[tool] as ResourceEffect;
  if (!effect[how]?.includes(resource)) throw new Error(`Expected ${tool} to declare ${resource}`);
  const less = { ...effect, [how]: effect[how].filter((each) => each !== resource) };
  const isNothing = [...(less.reads ?? []), ...(less.writes ?? [])].length === 0;
  return { ...effects, [tool]: isNothing ? (how === 'reads' ? 'pure' : 'opaque') : less };
}

describe.each(worlds.map((world) => [world.name, world] as const))('a trace of a %s', (_, world) => {
  it('is answered as direct execution would, in part from the cache', async () => {
    const sum = await tally(world, declared(world.effects));
    expect(sum.wrong).toEqual([]);
    expect(sum.skipped).toBe(0);
    if (isLong)
      console.log(`${world.name}: ${sum.calls} calls, ${sum.answered} of ${sum.reads} reads answered`);
    expect(sum.calls).toBeGreaterThan(seeds.length * 400);
    expect(sum.answered / sum.reads).toBeGreaterThan(0.25);
    // Without writes, failures and calls at once there is little to be wrong about.
    expect(sum.writes).toBeGreaterThan(sum.calls / 4);
    expect(sum.parallel).toBeGreaterThan(sum.calls / 3);
    expect(sum.refused).toBeGreaterThan(sum.calls / 20);
    expect(sum.failures).toBeGreaterThan(seeds.length / 2);
  });

  it('is answered so too where its world can be made again, writes among it', async () => {
    const sum = await tally(world, declared(world.effects), { hasEnvironment: true });
    expect(sum.wrong).toEqual([]);
    expect(sum.answered / sum.reads).toBeGreaterThan(0.4);
    expect(sum.skipped).toBeGreaterThan(sum.writes / 8);
  });

  it.each([
    ['over all tools', () => false],
    ['over tools that only read', (tool: string) => !world.readers.has(tool)],
  ])('is answered wrongly by name and arguments %s', async (_, isWrite) => {
    const sum = await tally(world, (cache, task) => naive(cache, task, isWrite));
    expect(sum.wrong.length).toBeGreaterThan(sum.reads / 10);
  });

  it.each(omissions[world.name]!)('shows from seed %i on that `%s` %s `%s`', async (...omission) => {
    const effects = without(world.effects, omission);
    // Should the traces of seeds become others, a further one does.
    for (let seed = omission[0]; seed < omission[0] + 40; seed++) {
      const { wrong } = await tally(world, declared(effects), { over: [seed] });
      if (wrong.length > 0) return;
    }
    throw new Error('40 traces notice nothing');
  });
});
