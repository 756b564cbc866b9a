import { describe, expect, test } from 'vitest';
import { createStore, largestMaxSize, registerStore, storeNames } from '../../src/store/registry.js';
import type { StoreFactory, StoreOptions } from '../../src/store/store.js';

const options: StoreOptions<never> = { maxSize: 10, maxBytes: 100, random: Math.random, onRemove: () => {} };
const lruLike: StoreFactory = (options) => createStore('lru', options);

describe('createStore', () => {
  test.each(['lru', 'lfu', 'fifo', 'ttl'])('makes the built-in store %s', (name) => {
    expect(createStore(name, options).size).toBe(0);
    expect(storeNames()).toContain(name);
  });

  test('names the known stores and the way to add one when a name is unknown', () => {
    expect(() => createStore('lur', options)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(
          /'lru', 'lfu', 'fifo', 'ttl'.*got `'lur'`: did you mean 'lru'\?.*registerStore/s,
        ),
      }),
    );
  });

  test.each(['constructor', '__proto__', '', undefined, null, 7])('knows no store %j', (name) => {
    expect(() => createStore(name as string, options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', undefined, 10n])(
    'refuses %s as maxSize and as maxBytes',
    (value) => {
      for (const name of ['maxSize', 'maxBytes']) {
        expect(() => createStore('lru', { ...options, [name]: value })).toThrow(
          expect.objectContaining({
            code: 'ERR_INVALID_OPTION',
            message: expect.stringContaining(`Expected \`${name}\` to be a positive integer, got \``),
          }),
        );
      }
    },
  );

  test('takes a maxSize up to what a Map of V8 holds, and says why beyond', () => {
    expect(createStore('lru', { ...options, maxSize: largestMaxSize }).size).toBe(0);
    expect(() => createStore('lru', { ...options, maxSize: largestMaxSize + 1 })).toThrow(
      /at most 16777216 \(2\^24, .*Map.*\), got `16777217`.*several caches/,
    );
  });

  test('names what a malformed store lacks', () => {
    const whole = createStore('lru', options);
    const { get, peek, has, set, delete: remove, clear } = whole;
    const partial = { get, peek, has, set, delete: remove, clear, size: 0 };
    expect(() => createStore((() => partial) as unknown as StoreFactory, options)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('one without `entries()`, `bytes`'),
      }),
    );
  });

  test.each([undefined, null, 'store', Promise.resolve()])('refuses %s for a store', (made) => {
    expect(() => createStore((() => made) as unknown as StoreFactory, options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  });
});

describe('registerStore', () => {
  test('makes a factory known under a name', () => {
    registerStore('my-lru', lruLike);
    expect(storeNames()).toContain('my-lru');
    expect(createStore('my-lru', options).bytes).toBe(0);
    expect(() => registerStore('my-lru', lruLike)).not.toThrow();
  });

  test('gives no name away twice, a built-in one least of all', () => {
    expect(() => registerStore('lru', lruLike)).toThrow(/`lru` is registered already/);
  });

  test.each([
    ['', lruLike],
    [undefined, lruLike],
    ['mine', undefined],
    ['mine', 'lru'],
  ])('refuses the name %j with the factory %s', (name, factory) => {
    expect(() => registerStore(name as string, factory as StoreFactory)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
    expect(storeNames()).not.toContain('mine');
  });
});
