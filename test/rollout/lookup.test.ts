/** What the cache knows of a call of a rollout, without running its tool. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { Rollout, type RolloutOptions } from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { onAnswer } from '../../src/trust/index.js';
import { gate, settle } from '../helper/gate.js';

const effects = Object.freeze({
  get: { reads: ['booking:{id}', 'prices'] },
  cancel: { writes: ['booking:{id}'] },
  sum: 'pure',
  clock: 'opaque',
} as const);

const begin = (cache: CacheManager, options: Partial<RolloutOptions> = {}) =>
  new Rollout(cache, { effects, task: 't', ...options });
const get = (rollout: Rollout, result = 'open') => rollout.call('get', { id: 'x' }, () => result);
const cancel = (rollout: Rollout, result = 'done') => rollout.call('cancel', { id: 'x' }, () => result);

describe('a lookup through a rollout', () => {
  it('finds what is the same for it, with tier, age and the chain of each resource', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock });
    const [one, two] = [begin(cache), begin(cache)];
    expect(await one.lookup('get', { id: 'x' })).toMatchObject({
      outcome: 'miss',
      chains: { 'booking:x': '', prices: '' },
    });
    await get(one);
    clock.advance(30);
    expect(await two.lookup('get', { id: 'x' })).toMatchObject({
      ...{ outcome: 'hit', value: 'open', tier: 'memory', ageMs: 30 },
      chains: { 'booking:x': '', prices: '' },
    });
    await cancel(one);
    const after = await one.lookup('get', { id: 'x' });
    expect(after.outcome).toBe('miss');
    expect(after.chains['prices']).toBe('');
    expect(after.chains['booking:x']).toMatch(/^[0-9a-f]{32}$/);
    await get(one, 'cancelled');
    await cancel(two);
    expect(await two.lookup('get', { id: 'x' })).toMatchObject({
      ...{ outcome: 'hit', value: 'cancelled' },
      chains: after.chains,
    });
    await cancel(two, 'again');
    expect((await two.lookup('get', { id: 'x' })).chains).not.toEqual(after.chains);
  });

  it('has the key of the call, and its listeners are told the chains', async () => {
    const cache = new CacheManager();
    const keys: unknown[] = [];
    onAnswer(cache, ({ key, chains }) => keys.push([key, chains]));
    const rollout = begin(cache);
    await get(rollout);
    const found = await rollout.lookup('get', { id: 'x' });
    expect(keys).toEqual(Array(2).fill(['key' in found && found.key, found.chains]));
  });

  it('tells what always runs', async () => {
    const cache = new CacheManager();
    const rollout = begin(cache);
    for (const tool of ['clock', 'undeclared', 'cancel'])
      expect(await rollout.lookup(tool, { id: 'x' })).toEqual({ outcome: 'uncached', chains: {} });
    expect(await rollout.lookup('get', { id: '../x' })).toMatchObject({ outcome: 'uncached' });
    expect(await rollout.lookup('sum', 1)).toMatchObject({ outcome: 'miss', chains: {} });
    await rollout.call('sum', 1, () => 2);
    expect(await rollout.lookup('sum', 1)).toMatchObject({ outcome: 'hit', value: 2, chains: {} });
  });

  it('finds writes too where the world can be made again, until it was', async () => {
    const cache = new CacheManager();
    const environment = { replay: () => [] };
    await cancel(begin(cache, { environment }));
    const rollout = begin(cache, { environment });
    expect(await rollout.lookup('cancel', { id: 'x' })).toMatchObject({
      ...{ outcome: 'hit', value: 'done' },
      chains: { 'booking:x': '' },
    });
    await rollout.call('clock', {}, () => 1);
    expect(await rollout.lookup('cancel', { id: 'x' })).toMatchObject({ outcome: 'uncached' });
  });

  it('waits for writes that touch it, but for those that wait for it', async () => {
    const cache = new CacheManager();
    const rollout = begin(cache);
    const { promise, open } = gate();
    let within: unknown;
    const writing = rollout.call('cancel', { id: 'x' }, async () => {
      within = await rollout.lookup('get', { id: 'x' });
      await promise;
      return 'done';
    });
    let found: unknown;
    const looking = rollout.lookup('get', { id: 'x' }).then((lookup) => {
      found = lookup;
    });
    const aborted = rollout.lookup('get', { id: 'x' }, { signal: AbortSignal.abort(new Error('no')) });
    await expect(aborted).rejects.toThrow('no');
    expect((await rollout.lookup('get', { id: 'y' })).outcome).toBe('miss');
    await settle();
    expect([found, within]).toEqual([undefined, { outcome: 'uncached', chains: {} }]);
    open();
    await Promise.all([writing, looking]);
    expect(found).toMatchObject({
      outcome: 'miss',
      chains: { 'booking:x': expect.stringMatching(/^.{32}$/) },
    });
  });
});
