import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStore } from '../../src/store/registry.js';
import { setUp } from '../helper/memory-tier.js';
import { turnsDuring } from '../helper/turns.js';

describe('clearing many entries', () => {
  const many = 5_000;
  const fill = (put: ReturnType<typeof setUp>['put']) => {
    for (let n = 0; n < many; n += 1) put(`${n}`, { bytes: 1, method: n % 2 ? 'search' : 'sql' });
  };
  const room = { maxSize: many, maxBytes: many };
  beforeEach(() => {
    // Every look at the time takes five milliseconds.
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 5;
      return now;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([undefined, 'search'])(
    'lets others run, and answers with none of them meanwhile (%s)',
    async (method) => {
      const { tier, put, removed } = setUp(room);
      fill(put);
      const cleared = method === undefined ? many : many / 2;
      const clear = async () => {
        const release = tier.clear(method);
        expect(tier.size).toBeGreaterThan(many - cleared);
        for (const key of ['1', '3', '4999']) {
          expect(tier.get(key)).toBeUndefined();
          expect(tier.peek(key)).toBeUndefined();
          expect(tier.delete(key)).toBe(false);
        }
        expect([...tier.entries()]).toHaveLength(many - cleared);
        expect(tier.clear(method)).toBe(release);
        await release;
      };
      expect(await turnsDuring(clear)).toBeGreaterThan(0);
      expect([tier.size, tier.bytes]).toEqual([many - cleared, many - cleared]);
      expect(removed).toHaveLength(cleared);
      expect(removed.every(([, reason]) => reason === 'clear')).toBe(true);
      expect(tier.peek('0') !== undefined).toBe(method !== undefined);
    },
  );

  test('keeps what is set meanwhile, and evicts nothing live for it', async () => {
    const { tier, put, removed } = setUp(room);
    fill(put);
    const release = tier.clear('search');
    put('1', { bytes: 1 });
    for (let n = 0; n < many / 2 - 1; n += 1) put(`new ${n}`, { bytes: 1 });
    await release;
    expect(tier.size).toBe(many);
    expect(tier.peek('1')).toBeDefined();
    expect([...tier.entries('search')]).toHaveLength(many / 2);
    expect([...tier.entries('sql')]).toHaveLength(many / 2);
    expect(removed).toHaveLength(many / 2);
    expect(removed.every(([, reason]) => reason === 'clear')).toBe(true);
  });

  test('answers with none of them though the store fails to let go, and says so', async () => {
    const failure = new Error('store failed');
    const { tier, put } = setUp({
      ...room,
      store: (options) => {
        const store = createStore('lru', options);
        store.delete = () => {
          throw failure;
        };
        return store;
      },
    });
    fill(put);
    await expect(tier.clear()).rejects.toBe(failure);
    expect([...tier.entries()]).toEqual([]);
    expect(() => tier.get('1')).toThrow(failure);
  });
});
