/** Tools that return a part of their state, which the next write changes: what others are told is as it was. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { Rollout, type RolloutOptions } from '../../src/rollout/index.js';
import { MemoryRemote } from '../../src/testing/index.js';
import { turns } from './world.js';

const effects = Object.freeze({
  add: { reads: ['cart'], writes: ['cart'] },
  see: { reads: ['cart'] },
} as const);

/** A cart that hands out its own list. */
class Cart {
  readonly items: string[] = [];
  readonly add = async ({ item }: { item: string }) => {
    this.items.push(item);
    return this.items;
  };
  readonly see = async () => this.items;
}

const dir = mkdtempSync(join(tmpdir(), 'toolstash-live-'));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const begin = (cache: CacheManager, id: number, own: Partial<RolloutOptions> = {}) =>
  new Rollout(cache, { effects, task: 't', id, ...own });

const unexpected = async () => {
  throw new Error('it ran');
};

it.each<[string, () => CacheOptions]>([
  ['disk', () => ({ persist: true, persistDir: dir })],
  ['a remote', () => ({ remote: new MemoryRemote() })],
])('a write is kept with what it came to, whatever the next one does meanwhile: %s', async (_, options) => {
  await using cache = await CacheManager.open(options());
  const environment = { replay: () => [] };
  const [cart, one, two] = [new Cart(), begin(cache, 0, { environment }), begin(cache, 1, { environment })];
  // From here on its world is real, and its writes run.
  await one.call('see', {}, cart.see);
  await Promise.all(['x', 'y'].map((item) => one.call('add', { item }, cart.add)));
  expect(await two.call('add', { item: 'x' }, unexpected)).toEqual(['x']);
  expect(await two.call('add', { item: 'y' }, unexpected)).toEqual(['x', 'y']);
});

it.each([
  ['', {}],
  [', with a listener', { onAnswer() {} }],
])('a read is not kept where a write begins before it is stored, at whatever moment%s', async (_, own) => {
  const told: unknown[] = [];
  for (let turn = 0; turn < 20; turn++) {
    const cache = new CacheManager();
    const cart = new Cart();
    const one = begin(cache, 0, own);
    const after = async (count: number, run: () => Promise<unknown>) => {
      await turns(count);
      return run();
    };
    const see = () => after(10, cart.see);
    await Promise.all([
      one.call('see', {}, see),
      after(turn, () => one.call('add', { item: 'x' }, cart.add)),
    ]);
    told.push(await begin(cache, 1).call('see', {}, async () => []));
  }
  expect(told).toEqual(Array(20).fill([]));
});
