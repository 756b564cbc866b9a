/**
 * Scenarios of single flight, which has no switch: without it means what people write by hand, a look into the cache,
 * then a load, then a `set`.
 */

import type { CacheManager } from '../../../src/index.js';
import { gate, settle } from '../../helper/gate.js';
import { makeCache, outcomeWithin, scenario } from './scenario.js';

type Load = (options: { readonly signal: AbortSignal }) => Promise<unknown>;

async function byHand(cache: CacheManager, key: unknown, load: Load): Promise<unknown> {
  const known = await cache.get('tool', key);
  if (known !== undefined) return known;
  const value = await load({ signal: new AbortController().signal });
  await cache.set('tool', key, value);
  return value;
}

export const stampede = scenario({
  does: 'lets callers share one load, of which no caller who leaves deprives the others',
  async drive(toolstash, isGuarded) {
    const { cache, clock } = makeCache(toolstash);
    const done = gate<string>();
    let [loads, aborted] = [0, 0];
    const load: Load = async ({ signal }) => {
      loads += 1;
      signal.addEventListener('abort', () => {
        aborted += 1;
        done.fail(new Error('aborted'));
      });
      return done.promise;
    };
    const impatient = new AbortController();
    const { signal } = impatient;
    const asking = Array.from({ length: 8 }, (_, caller) =>
      isGuarded ? cache.getOrSet('tool', 1, load, caller === 0 ? { signal } : {}) : byHand(cache, 1, load),
    );
    const outcomes = asking.map((each) => each.catch(() => 'gone'));
    await settle();
    impatient.abort('gone');
    await settle();
    done.open('answer');
    const answers = await outcomeWithin(clock, 0, Promise.all(outcomes));
    return { loads, aborted, answers: (answers as unknown[]).filter((each) => each === 'answer').length };
  },
  guarded: { loads: 1, aborted: 0, answers: 7 },
  bare: { loads: 8, aborted: 0, answers: 8 },
});

export const lateResult = scenario({
  does: 'lets what is deleted during a load stay deleted, and nobody join that load any more',
  async drive(toolstash, isGuarded) {
    const { cache } = makeCache(toolstash);
    const done = gate<string>();
    const ask = (load: Load) => (isGuarded ? cache.getOrSet('tool', 1, load) : byHand(cache, 1, load));
    const early = ask(() => done.promise);
    await settle();
    await cache.delete('tool', 1);
    const later = isGuarded ? ask(async () => 'new') : undefined;
    await settle();
    if (isGuarded) await cache.delete('tool', 1);
    done.open('old');
    const answers = [await early, await later];
    return { answers, cached: await cache.get('tool', 1) };
  },
  guarded: { answers: ['old', 'new'], cached: undefined },
  bare: { answers: ['old', undefined], cached: 'old' },
});

export const ownKey = scenario({
  does: 'tells a loader that waits for its own key, directly or through another, instead of hanging',
  async drive(toolstash, isGuarded) {
    const { cache, clock } = makeCache(toolstash);
    const underWay = new Map<string, Promise<unknown>>();
    /** What coalesces by hand: a map of promises. */
    const sharing = (key: string, load: () => Promise<unknown>) => {
      const known = underWay.get(key) ?? Promise.resolve().then(load);
      underWay.set(key, known);
      return known;
    };
    const ask = (key: string, load: () => Promise<unknown>) =>
      isGuarded ? cache.getOrSet('tool', key, load) : sharing(key, load);
    const never = async () => 'never';
    const direct = await outcomeWithin(
      clock,
      0,
      ask('a', async () => [await ask('a', never)]),
    );
    const around = ask('b', async () => [await ask('c', async () => [await ask('b', never)])]);
    return [direct, await outcomeWithin(clock, 0, around)];
  },
  guarded: ['ERR_REENTRANT_LOAD', 'ERR_REENTRANT_LOAD'],
  bare: ['waiting', 'waiting'],
});
