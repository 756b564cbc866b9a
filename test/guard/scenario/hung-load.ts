/** Scenarios of loads that hang while callers keep coming. */

import type { CacheOptions } from '../../../src/index.js';
import type { Toolstash } from '../../helper/mutant.js';
import { makeCache, outcomeWithin, scenario } from './scenario.js';

/** What comes of callers who ask for one key every 50 ms, the first of whose loads hangs. */
async function askSteadily(toolstash: Toolstash, options: CacheOptions, isStale: boolean) {
  const { cache, clock } = makeCache(toolstash, { ttl: 1000, ...options });
  if (isStale) {
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
  }
  let calls = 0;
  const load = () => {
    calls += 1;
    return calls === 1 ? new Promise<string>(() => {}) : 'fresh';
  };
  const outcomes: unknown[] = [];
  for (let call = 0; call < 20; call += 1) {
    const asking = cache.getOrSet('tool', 1, load);
    asking.then(
      (value) => {
        outcomes[call] = value;
      },
      (error: { code: string }) => {
        outcomes[call] = error.code;
      },
    );
    await outcomeWithin(clock, 50, asking);
  }
  const { running, circuit } = cache.stats();
  return { calls, last: outcomes.at(-1), fails: outcomes.indexOf('fresh'), running, circuit };
}

export const hungLoad = scenario<unknown>({
  does: 'ends a load that hangs, though callers keep joining it, and lets the next one start afresh',
  drive(toolstash, isGuarded) {
    const own = isGuarded ? { hardTimeout: 200 } : {};
    return askSteadily(toolstash, { concurrency: 1, circuitBreaker: { failures: 2 }, ...own }, false);
  },
  guarded: { calls: 2, last: 'fresh', fails: 4, running: 0, circuit: 'closed' },
  bare: { calls: 1, last: undefined, fails: -1, running: 1, circuit: 'closed' },
});

export const hungBehindStale = scenario<unknown>({
  does: 'ends a load that hangs, though all its callers have left with stale values',
  drive(toolstash, isGuarded) {
    const own = isGuarded ? { hardTimeout: 200 } : {};
    return askSteadily(toolstash, { concurrency: 1, softTimeout: 50, staleIfError: '1h', ...own }, true);
  },
  guarded: { calls: 2, last: 'fresh', fails: 4, running: 0, circuit: undefined },
  bare: { calls: 1, last: 'stale', fails: -1, running: 1, circuit: undefined },
});

export const hungThenDown = scenario<unknown>({
  does: 'counts loads that hang for the circuit breaker, each once',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { hardTimeout: 200 } : {};
    const { cache, clock } = makeCache(toolstash, { circuitBreaker: { failures: 2, openFor: '1h' }, ...own });
    let calls = 0;
    const hang = () => {
      calls += 1;
      return new Promise(() => {});
    };
    for (let call = 0; call < 20; call += 1) {
      await outcomeWithin(clock, 50, cache.getOrSet('tool', 1, hang));
    }
    return { calls, circuit: cache.stats().circuit, loadErrors: cache.stats().loadErrors };
  },
  guarded: { calls: 2, circuit: 'open', loadErrors: 2 },
  bare: { calls: 1, circuit: 'closed', loadErrors: 0 },
});
