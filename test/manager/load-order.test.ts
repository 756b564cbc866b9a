import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

describe('an async load that began before a sync one of the same key', () => {
  it('does not overwrite its newer answer', async () => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const done = gate<string>();
    const early = cache.getOrSet('tool', [1], () => done.promise);
    const tool = cache.wrapSync((_id: number) => 'newer', { name: 'tool' });
    await settle();
    expect(tool(1)).toBe('newer');
    done.open('older');
    expect(await early).toBe('older');
    expect(await cache.get('tool', [1])).toBe('newer');
  });
});

describe('a call whose params change during its load', () => {
  it.each(['getOrSet', 'refresh'] as const)('is not kept under the key they had before: %s', async (how) => {
    const cache = new CacheManager({ clock: new FakeClock(), cacheErrors: () => '1h' });
    for (const end of ['open', 'fail'] as const) {
      const done = gate<string>();
      const params = { id: 1 };
      const asking = cache[how]('tool', params, () => done.promise).catch(() => 'failed');
      await settle();
      params.id = 2;
      if (end === 'open') done.open('of 2');
      else done.fail(new Error('of 2'));
      await asking;
      expect(await cache.getOrSet('tool', { id: 1 }, () => 'of 1')).toBe('of 1');
      await cache.clear();
    }
  });

  it('is not given to who joined it, who call the tool themselves', async () => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const done = gate<string>();
    const params = { id: 1 };
    const changing = cache.getOrSet('tool', params, () => done.promise);
    const joined = cache.getOrSet('tool', { id: 1 }, () => 'of 1');
    params.id = 2;
    done.open('of 2');
    expect(await Promise.all([changing, joined])).toEqual(['of 2', 'of 1']);
  });
});
