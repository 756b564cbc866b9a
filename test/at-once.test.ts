import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../src/index.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const sources: readonly (readonly [name: string, source: () => unknown, reason: string])[] = [
  [
    'throws',
    () => {
      throw new Error('no more entropy');
    },
    'it failed (no more entropy)',
  ],
  ['is async', () => Promise.reject(new Error('never handled')), 'got a promise'],
  ['gives NaN', () => Number.NaN, 'got `NaN`'],
  ['gives 1', () => 1, 'got `1`'],
  ['gives text', () => '0.5', "got `'0.5'`"],
];

describe.each(sources)('a source of random numbers that %s', (_, source, reason) => {
  it('gives way to Math.random with one warning, and no call fails for it', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const random = source as () => number;
    const cache = new CacheManager({ ttl: 1000, jitter: 0.5, refreshAhead: { beta: 1e-9 }, random });
    expect(await cache.getOrSet('search', 1, async () => 'found')).toBe('found');
    expect(await cache.getOrSet('search', 1, async () => 'loaded again')).toBe('found');
    expect(await cache.getOrSet('search', 2, async () => 'found')).toBe('found');
    const looked = await cache.lookup('search', 1);
    if (looked.outcome !== 'hit') throw new Error(looked.outcome);
    expect(Number(looked.metadata.expiresAt) - looked.metadata.createdAt).toBe(750);
    expect(warned).toHaveBeenCalledOnce();
    expect(warned.mock.calls[0]?.[0]).toContain(reason);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
