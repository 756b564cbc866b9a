import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, formatStats } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { verifyHits } from '../../src/trust/index.js';

afterEach(() => void vi.restoreAllMocks());

/** A cache that two tools were called through: 3 hits, 2 misses, 1 coalesced, 1 uncached, an error. */
async function used(): Promise<CacheManager> {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, maxSize: 500 });
  const search = cache.wrap(
    async (query: string) => {
      await clock.advance(1000);
      return query;
    },
    { name: 'search' },
  );
  await Promise.all([search('a'), search('a')]);
  for (let i = 0; i < 3; i++) await search('a');
  await search('b');
  const fetch = cache.wrap(async (_: unknown) => 1, { name: 'fetch' });
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await fetch(() => 1);
  await expect(cache.getOrSet('broken', 1, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
  return cache;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

describe('the report of a cache', () => {
  it('is printed and returned as `replay` prints it, tool by tool', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const cache = await used();
    const text = cache.report();
    expect(log).toHaveBeenCalledTimes(1);
    expect(stripVTControlCharacters(String(log.mock.calls[0]?.[0]))).toBe(text.trimEnd());
    expect(lines(text)).toEqual([
      'toolstash report',
      '8 calls of 3 tools',
      'LRU · at most 500 entries and 256 MiB',
      'Answered from the cache  50.0 %  4 of 8 calls',
      expect.stringMatching(/^█+▓+░+·+$/),
      '█ 3 hits   ▓ 1 coalesced   ░ 3 misses   · 1 uncached',
      'Time saved  4.0 s  of 6.0 s tool time (66.7 %)',
      expect.stringMatching(/^Tool +calls +how answered +cached +saved$/),
      expect.stringMatching(/^search +6 +█+▓+░+ +66.7 % +4.0 s$/),
      expect.stringMatching(/^fetch +1 +·+ +uncached$/),
      expect.stringMatching(/^broken +1 +░+ +0 % +0 ms$/),
      expect.stringMatching(
        /^hit rate 57.1 % of lookups · evicted 0 · tool errors 1 · held now 2 \(\d+ B\)$/,
      ),
    ]);
  });

  it('says how often verified tools said something else, and how far that is known', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const cache = new CacheManager();
    let said = 0;
    const search = cache.wrap(async () => said, { name: 'search' });
    await search();
    const verification = verifyHits(cache, {
      share: 1,
      tools: { search: true, other: true },
      leastComparisons: 4,
    });
    for (said of [0, 1, 2, 3]) {
      const { compared } = verification.stats()[0]!;
      await search();
      await vi.waitUntil(() => verification.stats()[0]!.compared > compared);
    }
    verification.stop();
    expect(lines(cache.report())).toContain(
      'search: 75.0 % of 4 verified hits differ (95 % CI 30.1–95.4 %); demoted',
    );
    expect(cache.report()).not.toContain('other');
  });

  it('says what an unused cache is', () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const text = new CacheManager({ eviction: 'fifo' }).report();
    expect(lines(text).slice(0, 4)).toEqual([
      'toolstash report',
      '0 calls of 0 tools',
      'FIFO · at most 1,000 entries and 256 MiB',
      'Answered from the cache  0 %  0 of 0 calls',
    ]);
  });
});

describe('formatStats', () => {
  it('gives the statistics of one method, or of all, as text without colours', async () => {
    const cache = await used();
    expect(lines(formatStats(cache.stats('search')))).toEqual([
      'Answered from the cache  66.7 %  4 of 6 calls',
      expect.stringMatching(/^█+▓+░+$/),
      '█ 3 hits   ▓ 1 coalesced   ░ 2 misses',
      'Time saved  4.0 s  of 6.0 s tool time (66.7 %)',
      expect.stringMatching(/^hit rate 66.7 % of lookups · evicted 0 · held now 2/),
    ]);
    expect(formatStats(cache.stats())).toContain('4 of 8 calls');
  });

  it('counts a stale answer in place of an error once, and tells failures of the cache', () => {
    const stats = {
      ...new CacheManager().stats(),
      ...{ staleHits: 3, staleIfErrors: 1, softTimeouts: 1, misses: 2, cacheErrors: 2, expired: 4 },
    };
    const text = formatStats(stats);
    expect(text).toContain('1 of 3 calls');
    expect(text).toContain('█ 1 hit ');
    expect(text).toContain('stale answers 3 · expired 4');
    expect(text).toContain('2 failures of the cache: listen to its `error` event.');
  });
});
