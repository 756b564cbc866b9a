import { describe, expect, it } from 'vitest';
import { ErrorMemory, errorTtl, RememberedErrors } from '../../src/guard/error-cache.js';
import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const known = { tagged: { stamp: { time: 1, writer: 'a' } }, knownAt: 0 };
const always = { mayBeInvalidated: () => false, isCurrent: () => true };
const wanted = { cacheErrors: () => 1000, coherence: 'bounded' } as const;

describe('the memory of errors', () => {
  it('leaves no timer behind when the cache is closed, and remembers no more', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, methods: { tool: { cacheErrors: () => '1h' } } });
    const before = clock.pending;
    const failing = () => Promise.reject(new Error('failed'));
    await expect(cache.getOrSet('tool', 1, failing)).rejects.toThrow('failed');
    expect(clock.pending).toBeGreaterThan(before);
    await cache.close();
    expect(clock.pending).toBe(0);
    await expect(cache.getOrSet('tool', 1, failing)).rejects.toThrow('failed');
    expect(clock.pending).toBe(0);
  });

  it('takes no more once it is closed, as from a load that was under way', () => {
    const clock = new FakeClock();
    const memory = new ErrorMemory(clock);
    const errors = new RememberedErrors(clock, memory, always);
    memory.close();
    errors.remember('key', new Error('failed'), { ttlMs: 1000, ...known });
    expect(errors.find('key', wanted)).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it('holds on to no response of a remembered error, and remembers the rest', () => {
    const clock = new FakeClock();
    const errors = new RememberedErrors(clock, new ErrorMemory(clock), always);
    const error = Object.assign(new Error('failed'), { status: 503, response: new Response('body') });
    errors.remember('key', error, { ttlMs: 1000, ...known });
    const found = errors.find('key', wanted);
    expect(found?.error).toMatchObject({ message: 'failed', status: 503 });
    expect(found?.error).not.toHaveProperty('response');
  });
});

describe('errorTtl', () => {
  const error = Object.assign(new Error('failed'), { status: 404 });

  it('is what the policy says for this error', () => {
    expect(errorTtl(error, (given) => (given === error ? '5s' : false))).toBe(5000);
    expect(errorTtl(error, () => 250)).toBe(250);
    expect(errorTtl(error, () => false)).toBe(0);
  });

  it('refuses what is no duration', () => {
    expect(() => errorTtl(error, () => undefined as unknown as false)).toThrow(/Expected `cacheErrors\(\)`/);
  });
});
