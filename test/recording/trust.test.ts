/** Trust in what a recording answers: where it comes from, and that nothing of it is run again. */

import { expect, it, vi } from 'vitest';
import { type CacheAnswer, onAnswer, verifyHits } from '../../src/trust/index.js';
import { freshTape } from './tape.js';

const tape = freshTape();

async function record(): Promise<void> {
  const cache = await tape.open('record');
  await cache.getOrSet('search', { query: 'flights to rome', limit: 3 }, () => 'recorded');
  await cache.close();
}

it.each(['replay', 'strict'] as const)('runs no hit again to verify it, in %s', async (mode) => {
  await record();
  const cache = await tape.open(mode);
  const run = vi.fn(async () => 'live');
  const verification = verifyHits(cache, { tools: { search: true }, share: 1 });
  const search = cache.wrap((_params: object) => run(), { name: 'search' });
  for (let call = 0; call < 3; call += 1) {
    expect(await search({ query: 'flights to rome', limit: 3 })).toBe('recorded');
    await cache.getOrSet('search', { query: 'flights to rome', limit: 3 }, run);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(cache.stats('search').hits).toBe(5);
  expect(run).not.toHaveBeenCalled();
  expect(verification.stats()).toMatchObject([{ compared: 0, errors: 0 }]);
});

it('tells who joins an approximate answer, too, how far it is', async () => {
  await record();
  const cache = await tape.open('replay', {}, { approximate: { tools: ['search'], maxDistance: 0.5 } });
  const told: CacheAnswer[] = [];
  onAnswer(cache, (answer) => void told.push(answer));
  const ask = (query: string) => cache.getOrSet('search', { query, limit: 3 }, () => 'live');
  await Promise.all([ask('trains to rome'), ask('trains to rome'), ask('flights to rome')]);
  await cache.get('search', { query: 'flights to rome', limit: 3 });
  const approximate = { distance: expect.closeTo(1 / 6, 10), paths: ['query'] };
  const parts = told.map(({ source, approximate }) => ({ source, approximate }));
  expect(parts.filter(({ source }) => source === 'approximate')).toEqual([
    { source: 'approximate', approximate },
    { source: 'approximate', approximate },
  ]);
  expect(parts.map(({ source }) => source).sort()).toEqual([
    'approximate',
    'approximate',
    'memory',
    'recording',
  ]);
});
