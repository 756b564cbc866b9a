/** Calls that differ in fields named by symbols alone, as those of database libraries do. */

import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';

const [gt, lt] = [Symbol.for('gt'), Symbol.for('lt')];

it('run each by itself, and are answered with nothing that calls without them have stored', async () => {
  const cache = new CacheManager();
  const findAll = cache.wrap(
    async ({ where: { age } }: { where: { age: Record<symbol, number> } }) =>
      age[gt] !== undefined
        ? `older than ${age[gt]}`
        : age[lt] !== undefined
          ? `younger than ${age[lt]}`
          : 'all',
    { name: 'findAll' },
  );
  // Often enough that arguments are in the index.
  for (let time = 0; time < 4; time += 1) {
    expect(await findAll({ where: { age: {} } })).toBe('all');
    expect(await findAll({ where: { age: { [gt]: 18 } } })).toBe('older than 18');
    expect(await findAll({ where: { age: { [lt]: 18 } } })).toBe('younger than 18');
  }
  expect(cache.stats('findAll')).toMatchObject({ loads: 1, hits: 3, uncached: 8 });
  await cache.close();
});

it('have answers that are handed out and not stored where symbols name fields of those', async () => {
  const cache = new CacheManager();
  const tool = cache.wrap(async (id: number) => ({ id, [gt]: id }), { name: 'tool' });
  for (let time = 0; time < 2; time += 1) expect((await tool(1))[gt]).toBe(1);
  await cache.close();
});
