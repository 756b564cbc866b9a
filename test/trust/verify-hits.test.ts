/** Hits that are run again: what is counted, what is demoted, and what nobody notices of it. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type Answer, Rollout } from '../../src/rollout/index.js';
import { type ToolTrust, type VerifyOptions, verifyHits } from '../../src/trust/index.js';
import { wilsonInterval } from '../../src/trust/wilson.js';

afterEach(() => vi.restoreAllMocks());

const all = { share: 1, tools: { search: true } } as const;

/** A tool whose runs are counted, under a cache that verifies it. */
function verified(run: (query: string, runs: number) => unknown, options: Partial<VerifyOptions> = {}) {
  const cache = new CacheManager();
  let runs = 0;
  const search = cache.wrap(async (query: string) => run(query, ++runs), { name: 'search' });
  const verification = verifyHits(cache, { ...all, ...options });
  return { cache, search, verification, runs: () => runs, trust: () => verification.stats()[0]! };
}

/** Until what was begun in the background is done. */
const settled = async () => {
  for (let turns = 0; turns < 5; turns++) await turn();
};

describe('a hit that is verified', () => {
  it('is run again once its caller has the answer, with the arguments it had', async () => {
    const cache = new CacheManager();
    const given: unknown[] = [];
    const search = cache.wrap(
      async (input: { words: string[] }) => {
        given.push(structuredClone(input));
        return { at: new Date(0), words: input.words };
      },
      { name: 'search' },
    );
    const verification = verifyHits(cache, all);
    const input = { words: ['a'] };
    await search(input);
    for (let use = 0; use < 3; use++) {
      const answer = await search(input);
      answer.words.push('changed by its caller');
      input.words.push('changed too');
      await settled();
      input.words.pop();
    }
    expect(given).toEqual(Array.from({ length: 4 }, () => ({ words: ['a'] })));
    expect(verification.stats()).toEqual([
      {
        ...{ method: 'search', hits: 3, compared: 3, mismatches: 0, errors: 0, skipped: 0, rate: 0 },
        ...{ interval: [0, expect.closeTo(0.5615, 3)], isDemoted: false },
      },
    ]);
  });

  it('is a mismatch by deep equality, or as its tool compares', async () => {
    const onMismatch = vi.fn();
    const { search, trust } = verified((query, runs) => ({ query, runs }), { onMismatch });
    await search('a');
    await search('a');
    await settled();
    expect(trust()).toMatchObject({ compared: 1, mismatches: 1, rate: 1 });
    expect(onMismatch).toHaveBeenCalledWith({
      ...{ method: 'search', key: expect.stringMatching(/^[0-9a-f]{32}$/) },
      ...{ cached: { query: 'a', runs: 1 }, fresh: { query: 'a', runs: 2 } },
    });
    const equals = (a: unknown, b: unknown) =>
      (a as { query: string }).query === (b as { query: string }).query;
    const own = verified((query, runs) => ({ query, runs }), { tools: { search: { equals } } });
    await own.search('a');
    await own.search('a');
    await settled();
    expect(own.trust()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  it('is an error, and no mismatch, where its tool fails, is late, or can not be compared', async () => {
    const outcomes: (() => unknown)[] = [
      () => 1,
      () => {
        throw new Error('down');
      },
      () => Promise.reject(undefined),
      () => ({ isError: true }),
      () => () => 'no value that could be stored',
    ];
    const { search, trust, runs } = verified((_, run) => outcomes[run - 1]!());
    expect(await search('a')).toBe(1);
    for (let use = 1; use < outcomes.length; use++) {
      expect(await search('a')).toBe(1);
      await settled();
    }
    expect(runs()).toBe(5);
    expect(trust()).toMatchObject({
      compared: 0,
      mismatches: 0,
      errors: 4,
      rate: Number.NaN,
      interval: [0, 1],
    });
    const equals = () => {
      throw new Error('equals');
    };
    const own = verified(() => 1, { tools: { search: { equals } } });
    await own.search('a');
    await own.search('a');
    await settled();
    expect(own.trust()).toMatchObject({ errors: 1, compared: 0 });
  });

  it('keeps its place until it has settled, also beyond its time', async () => {
    let end = (_: unknown) => {};
    let aborted = false;
    const cache = new CacheManager();
    const load = ({ signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise((resolve) => (end = resolve));
    };
    const verification = verifyHits(cache, { ...all, timeout: 5 });
    const trust = () => verification.stats()[0]!;
    const first = cache.getOrSet('search', 1, load);
    await turn();
    end('said');
    await first;
    await cache.getOrSet('search', 1, load);
    await vi.waitFor(() => expect(trust().errors).toBe(1));
    expect(aborted).toBe(true);
    expect(await cache.getOrSet('search', 1, load)).toBe('said');
    expect(trust()).toMatchObject({ hits: 2, errors: 1, skipped: 1 });
    end('something else');
    await settled();
    expect(trust()).toMatchObject({ errors: 1, compared: 0, mismatches: 0 });
    await cache.getOrSet('search', 1, () => 'said');
    await settled();
    expect(trust()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  it('is one of a share, and of the tools that are named', async () => {
    const draws = [0.1, 0.5, 0.05, 0.9];
    const { cache, search, trust } = verified(() => 1, { share: 0.1, random: () => draws.shift()! });
    for (let use = 0; use < 5; use++) {
      await search('a');
      await settled();
    }
    expect(trust()).toMatchObject({ hits: 4, compared: 1 });
    const other = vi.fn(() => 1);
    await cache.getOrSet('other', 1, other);
    await cache.getOrSet('other', 1, other);
    await settled();
    expect(other).toHaveBeenCalledOnce();
  });
});

describe('a value that is gone by the time its tool has run again', () => {
  it.each<[string, (cache: CacheManager) => unknown]>([
    ['was deleted', (cache) => cache.delete('search', 'a')],
    ['was set', (cache) => cache.set('search', 'a', 2)],
    ['was invalidated', (cache) => cache.invalidateTags(['world'])],
    ['was refreshed', (cache) => cache.refresh('search', 'a', () => 2)],
    ['has expired', (cache) => cache.expire('search', 'a')],
  ])('is not compared: it %s', async (_, change) => {
    const cache = new CacheManager({ methods: { search: { tags: ['world'], staleIfError: 1000 } } });
    let world = 1;
    let meanwhile: (() => unknown) | undefined;
    const run = () => {
      meanwhile?.();
      return world;
    };
    const ask = () => cache.getOrSet('search', 'a', run);
    const verification = verifyHits(cache, all);
    await ask();
    await ask();
    world = 2;
    await change(cache);
    await settled();
    expect(verification.stats()[0]).toMatchObject({ compared: 0, mismatches: 0, skipped: 1 });
    // While it runs.
    await ask();
    await ask();
    await settled();
    const { compared, skipped } = verification.stats()[0]!;
    meanwhile = () => change(cache);
    await ask();
    world = 3;
    await settled();
    expect(verification.stats()[0]).toMatchObject({ compared, mismatches: 0, skipped: skipped + 1 });
  });
});

it('counts an error for an `equals` that is async', async () => {
  const equals = (async () => Promise.reject(new Error('equals'))) as never;
  const { search, trust } = verified(() => 1, { tools: { search: { equals } } });
  await search('a');
  await search('a');
  await settled();
  expect(trust()).toMatchObject({ errors: 1, compared: 0 });
});

describe('a tool that says something else', () => {
  const demotable = { mostMismatches: 0.3, leastComparisons: 10 };

  it('is never answered from the cache once that is sure, and this is told', async () => {
    const demotions: unknown[] = [];
    const listener = (trust: unknown) => demotions.push(trust);
    subscribe('toolstash:demoted', listener);
    const onDemoted = vi.fn<(trust: ToolTrust) => void>();
    const { cache, search, runs, trust } = verified((_, run) => run, { ...demotable, onDemoted });
    for (let use = 0; use < 10; use++) {
      expect(await search('a')).toBe(1);
      await settled();
    }
    expect(trust()).toMatchObject({ compared: 9, isDemoted: false });
    expect(await search('a')).toBe(1);
    await settled();
    unsubscribe('toolstash:demoted', listener);
    expect(onDemoted.mock.calls).toEqual([
      [expect.objectContaining({ compared: 10, mismatches: 10, isDemoted: true })],
    ]);
    expect(demotions).toHaveLength(1);
    const reasons: string[] = [];
    cache.on('uncached', ({ reason }) => reasons.push(reason));
    const before = runs();
    expect(await Promise.all([search('a'), search('a')])).toEqual([before + 1, before + 2]);
    expect(await cache.getOrSet('search', 'a', () => 'run')).toBe('run');
    expect(cache.wrapSync((_: string) => 'run', { name: 'search' })('a')).toBe('run');
    expect(reasons).toEqual(['demoted', 'demoted', 'demoted', 'demoted']);
  });

  it('stays where that may be chance, where it is not wanted, and warns where nobody listens', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const play = async (options: Partial<VerifyOptions>, isWrong: (run: number) => boolean) => {
      const { search, trust } = verified((_, run) => (isWrong(run) ? 'other' : 'same'), options);
      for (let use = 0; use < 21; use++) {
        await search('a');
        await settled();
      }
      return trust();
    };
    // 4 of 20, where 6 are to be expected.
    expect(await play(demotable, (run) => run > 1 && run % 5 === 0)).toMatchObject({
      mismatches: 4,
      isDemoted: false,
    });
    expect(await play({ ...demotable, mostMismatches: null }, (run) => run > 1)).toMatchObject({
      isDemoted: false,
    });
    expect(warned).not.toHaveBeenCalled();
    expect(await play(demotable, (run) => run > 1)).toMatchObject({ compared: 10, isDemoted: true });
    expect(warned).toHaveBeenCalledWith(
      expect.stringContaining('`search` said something else than the cache in 10 of 10 runs'),
      expect.objectContaining({ code: 'TOOLSTASH_DEMOTED_TOOL' }),
    );
  });
});

describe('tools of rollouts', () => {
  it('are run again where they are pure, and never where they have state, write, or may differ', async () => {
    const cache = new CacheManager();
    const effects = {
      search: 'pure',
      read: { reads: ['n'] },
      put: { writes: ['n'] },
      roll: { effect: 'pure', samples: 2 },
    } as const;
    const verification = verifyHits(cache, {
      share: 1,
      tools: { search: true, read: true, put: true, roll: true },
    });
    const ran: string[] = [];
    const environment = { replay: (writes: readonly unknown[]) => writes.map(() => 'put') };
    for (const id of [0, 1]) {
      const rollout = new Rollout(cache, { effects, task: 't', id: 0, environment });
      for (const tool of ['search', 'put', 'read', 'roll'])
        await rollout.call(tool, {}, () => {
          ran.push(`${id} ${tool}`);
          return tool;
        });
      await settled();
    }
    expect(ran).toEqual(['0 search', '0 put', '0 read', '0 roll', '1 search']);
    const counts = verification.stats().map(({ method, compared, skipped }) => [method, compared, skipped]);
    expect(counts).toEqual([
      ['search', 1, 0],
      ['read', 0, 1],
      ['put', 0, 1],
      ['roll', 0, 1],
    ]);
  });
});

describe('rollouts whose answers somebody hears of', () => {
  const observed = (cache: CacheManager) => {
    const answers: Answer[] = [];
    const effects = { search: 'pure', read: { reads: ['n'] } } as const;
    const onAnswer = (answer: Answer) => answers.push(answer);
    return { rollout: new Rollout(cache, { effects, task: 't', id: 0, onAnswer }), answers };
  };

  it('have their hits verified, and run the tool once it is demoted', async () => {
    const cache = new CacheManager();
    const { rollout, answers } = observed(cache);
    let runs = 0;
    const run = () => ++runs;
    const demoted = vi.fn();
    const verification = verifyHits(cache, { ...all, mostMismatches: 0.3, onDemoted: demoted });
    for (let use = 0; use < 3; use++) {
      expect(await rollout.call('search', {}, run)).toBe(1);
      await settled();
    }
    expect(verification.stats()[0]).toMatchObject({ hits: 2, compared: 2, mismatches: 2 });
    while (demoted.mock.calls.length === 0) {
      await cache.getOrSet('search', {}, run);
      await settled();
    }
    const before = runs;
    expect(await rollout.call('search', {}, run)).toBe(before + 1);
    expect(answers.map(({ source, key }) => [source, key !== undefined])).toEqual([
      ['tool', true],
      ['memory', true],
      ['memory', true],
      ['uncached', false],
    ]);
  });

  it('are not run again where they have state', async () => {
    const cache = new CacheManager();
    const { rollout } = observed(cache);
    const run = vi.fn(() => 1);
    const verification = verifyHits(cache, { share: 1, tools: { read: true } });
    await rollout.call('read', {}, run);
    await rollout.call('read', {}, run);
    await settled();
    expect(run).toHaveBeenCalledOnce();
    expect(verification.stats()[0]).toMatchObject({ hits: 1, compared: 0, skipped: 1 });
  });
});

it('ends with `stop`', async () => {
  const { search, verification, runs } = verified(() => 1);
  await search('a');
  verification.stop();
  await search('a');
  await settled();
  expect(runs()).toBe(1);
});

it.each([
  [{}, 'Expected `tools` to be an object of pure tools by name'],
  [{ tools: {} }, 'Expected `tools` to name a pure tool, got none'],
  [{ tools: { search: false } }, 'Expected `tools.search` to be true or `{ equals }`, got `false`'],
  [{ tools: { search: { equal: 1 } } }, 'did you mean `equals`?'],
  [{ ...all, share: 5 }, 'Expected `share` to be a share from 0 to 1, got `5`'],
  [{ ...all, mostMismatches: -1 }, 'Expected `mostMismatches` to be a share'],
  [{ ...all, concurrency: 0 }, 'Expected `concurrency` to be a positive integer'],
  [{ ...all, timeout: 0 }, 'Expected `timeout` to be a duration above 0'],
  [{ ...all, onDemotion: 1 }, 'Unknown option `onDemotion` of `verifyHits`: did you mean `onDemoted`?'],
])('refuses %o', (options, message) => {
  expect(() => verifyHits(new CacheManager(), options as never)).toThrow(message);
});

describe("Wilson's interval", () => {
  // As of R's `prop.test(x, n, correct = FALSE)`.
  it.each([
    [0, 10, 0, 0.2775],
    [1, 10, 0.0179, 0.4042],
    [5, 10, 0.2366, 0.7634],
    [10, 10, 0.7225, 1],
    [3, 1000, 0.001, 0.0088],
    [0, 0, 0, 1],
  ])('of %i in %i', (found, of, low, high) => {
    const interval = wilsonInterval(found, of);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });
});
