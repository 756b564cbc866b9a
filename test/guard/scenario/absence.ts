/** Scenarios of the guards against calls for what is not there: penetration. */

import { expect } from 'vitest';
import { makeCache, scenario } from './scenario.js';

export const negativeTtl = scenario({
  does: 'remembers "nothing found" for a short time, and what is found for its whole ttl',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { negativeTtl: 100 } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 3_600_000, ...own });
    const rows = new Map<string, unknown>([['zero', 0]]);
    let loads = 0;
    const find = (id: string) =>
      cache.getOrSet('row', id, () => {
        loads += 1;
        return rows.get(id) ?? (id === 'null' ? null : undefined);
      });
    for (let call = 0; call < 5; call += 1) for (const id of ['a', 'null', 'zero']) await find(id);
    const loadsAtFirst = loads;
    const found = await cache.lookup('row', 'null');
    const { createdAt = 0, expiresAt = 0 } = 'metadata' in found ? found.metadata : {};
    const lives = (expiresAt ?? 0) - createdAt;
    for (const id of ['a', 'null', 'zero']) rows.set(id, 'now there');
    clock.advance(100);
    const answers = [await find('a'), await find('null'), await find('zero')];
    clock.advance(3_599_899);
    return { loadsAtFirst, lives, answers, atLast: [await find('a'), await find('zero')] };
  },
  guarded: {
    loadsAtFirst: 3,
    lives: 100,
    answers: ['now there', 'now there', 0],
    atLast: ['now there', 0],
  },
  // It hides for an hour what was created a moment later.
  bare: { loadsAtFirst: 3, lives: 3_600_000, answers: [undefined, null, 0], atLast: [undefined, 0] },
});

export const knownKeys = scenario({
  does: 'spares the source a flood of calls for what is not there, and hides nothing that is',
  async drive(toolstash, isGuarded) {
    const known = new toolstash.BloomFilter({ capacity: 100 });
    const own = isGuarded ? { knownKeys: known } : {};
    const { cache } = makeCache(toolstash, { negativeTtl: 0, ...own });
    const exists = (id: number) => id % 10 === 0;
    for (let id = 0; id < 1000; id += 1) if (exists(id)) known.add(cache.key('user', id));
    let [wasted, hidden] = [0, 0];
    for (let id = 0; id < 1000; id += 1) {
      const answer = await cache.getOrSet('user', id, () => {
        if (exists(id)) return id;
        wasted += 1;
        return undefined;
      });
      if (exists(id) && answer !== id) hidden += 1;
    }
    return { wasted, hidden };
  },
  guarded({ wasted, hidden }) {
    expect(hidden).toBe(0);
    expect(wasted).toBeLessThan(30);
  },
  bare: { wasted: 900, hidden: 0 },
});
