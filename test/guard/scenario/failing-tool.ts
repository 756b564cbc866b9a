/** Scenarios of the guards against failing tools. */

import { expect } from 'vitest';
import { down, makeCache, outcomeWithin, scenario } from './scenario.js';

export const staleIfError = scenario({
  does: 'answers the last good value while the tool fails, for as long as the reader says',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? ({ staleIfError: '1h' } as const) : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 1000, ...own });
    await cache.set('tool', 1, 'good');
    const abortScope = isGuarded ? { staleIfError: 5000 } : {};
    const answers: unknown[] = [];
    for (const wait of [999, 1, 4999, 1]) {
      clock.advance(wait);
      answers.push(await outcomeWithin(clock, 0, cache.getOrSet('tool', 1, down, abortScope)));
    }
    return answers;
  },
  guarded: ['good', 'good', 'good', 'down'],
  bare: ['good', 'down', 'down', 'down'],
});

export const cacheErrors = scenario({
  does: 'throws a lasting error again without calling the tool, to each caller one of its own',
  async drive(toolstash, isGuarded) {
    const isLasting = (error: unknown) => (error as { status?: number }).status === 404;
    const policy = { cacheErrors: (error: unknown) => isLasting(error) && 1000 };
    const { cache, clock } = makeCache(toolstash, isGuarded ? policy : {});
    /** Asks at 0, 500, 999 and 1000 ms; each caller writes on the error that it gets. */
    const ask = async (status: number) => {
      let loads = 0;
      const messages: string[] = [];
      for (const wait of [0, 500, 499, 1]) {
        clock.advance(wait);
        const failing = async () => {
          loads += 1;
          throw Object.assign(new Error('gone'), { status });
        };
        await cache.getOrSet('page', status, failing).catch((error: Error) => {
          messages.push(error.message);
          error.message += ', seen';
        });
      }
      return { loads, messages };
    };
    return [await ask(404), await ask(503)];
  },
  guarded: [
    { loads: 2, messages: ['gone', 'gone', 'gone', 'gone'] },
    { loads: 4, messages: ['gone', 'gone', 'gone', 'gone'] },
  ],
  bare: [
    { loads: 4, messages: ['gone', 'gone', 'gone', 'gone'] },
    { loads: 4, messages: ['gone', 'gone', 'gone', 'gone'] },
  ],
});

export const errorResults = scenario({
  does: 'does not take a result that is an error for the answer',
  async drive(toolstash, isGuarded) {
    const isError = (value: unknown) => (value as { isError?: boolean }).isError === true;
    const { cache } = makeCache(toolstash, isGuarded ? { isError } : {});
    const answers = [];
    for (const answer of [{ isError: true }, { text: 'well' }, { text: 'again' }])
      answers.push(await cache.getOrSet('tool', 1, () => answer));
    return answers;
  },
  guarded: [{ isError: true }, { text: 'well' }, { text: 'well' }],
  // The error is pinned as if it were the answer.
  bare: [{ isError: true }, { isError: true }, { isError: true }],
});

export const circuitBreaker = scenario({
  does: 'leaves a dead tool alone, tries it now and then, and lets all through once it is well',
  async drive(toolstash, isGuarded) {
    const rule = { circuitBreaker: { failures: 3, openFor: 5000 } };
    const { cache, clock } = makeCache(toolstash, isGuarded ? rule : {});
    let calls = 0;
    let isDead = true;
    const tool = async () => {
      calls += 1;
      if (isDead) throw new Error('down');
      return 'well';
    };
    // For 10 s, a call every 100 ms.
    for (let call = 0; call < 100; call += 1)
      await outcomeWithin(clock, 100, cache.getOrSet('tool', call, tool));
    const whileDead = calls;
    isDead = false;
    clock.advance(5000);
    const [probe, ...beside] = [1, 2, 3].map((call) => cache.getOrSet('tool', `after ${call}`, tool));
    const others = Promise.allSettled(beside);
    const first = await outcomeWithin(clock, 0, probe!);
    await outcomeWithin(clock, 0, others);
    const later = Promise.all(['later', 'beside it'].map((call) => cache.getOrSet('tool', call, tool)));
    return { whileDead, first, later: await outcomeWithin(clock, 0, later) };
  },
  guarded: { whileDead: 4, first: 'well', later: ['well', 'well'] },
  bare: { whileDead: 100, first: 'well', later: ['well', 'well'] },
});

export const circuitBreakerByRate = scenario({
  does: 'leaves a tool alone that fails too often, though never many times in a row',
  async drive(toolstash, isGuarded) {
    const rule = { failureRate: 0.5, minimumCalls: 10, within: '10s', openFor: '5s' } as const;
    const { cache, clock } = makeCache(toolstash, isGuarded ? { circuitBreaker: rule } : {});
    const calls = { ill: 0, well: 0 };
    const tool = (name: 'ill' | 'well', isFailing: boolean) => async () => {
      calls[name] += 1;
      if (isFailing) throw new Error('down');
    };
    for (let call = 0; call < 100; call += 1) {
      await outcomeWithin(clock, 0, cache.getOrSet('ill', call, tool('ill', call % 3 !== 0)));
      await outcomeWithin(clock, 100, cache.getOrSet('well', call, tool('well', call % 3 === 0)));
    }
    return calls;
  },
  guarded({ ill, well }) {
    expect(ill).toBeLessThan(30);
    expect(ill).toBeGreaterThanOrEqual(10);
    expect(well).toBe(100);
  },
  bare: { ill: 100, well: 100 },
});
