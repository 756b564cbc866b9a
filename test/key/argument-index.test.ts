/** The index of arguments gives a key where it has one, and never another than the canonical road gives. */

import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArgumentIndex, Chain } from '../../src/key/argument-index.js';
import { createKeyHasher, hashKey, keyFrame } from '../../src/key/key-hasher.js';
import { inForm } from '../helper/form.js';
import { clonableValue, jsonValue } from './arbitrary.js';
import { changedCopy } from './changed-copy.js';

const bounds = { maxSize: 1000, maxBytes: 2 ** 26 };

let meter: { indexBytes: number };
let index: ArgumentIndex;
let chain: Chain;

const chainOf = (method: string, version?: string) =>
  new Chain(keyFrame(method, version), createKeyHasher(method, { version }), meter);

beforeEach(() => {
  meter = { indexBytes: 0 };
  index = new ArgumentIndex(bounds);
  chain = chainOf('tool');
});

/** The canonical key, or that there is none. */
function canonicalKey(value: unknown): string | undefined {
  try {
    return hashKey('tool', value);
  } catch {
    return undefined;
  }
}

const use = (value: unknown) => index.known(value, undefined, chain)?.key;
/** Uses it twice, after which it is taken in. */
const key = (value: unknown) => (use(value) === undefined ? undefined : use(value));
const find = (value: unknown) => index.find(value, undefined, chain)?.key;

/** Looks whether each leads to its own key and to no other: at first sight, when it is taken in, and from then on. */
function expectOwnKeys(a: unknown, b: unknown): number {
  const own = [canonicalKey(a), canonicalKey(b)];
  let found = 0;
  for (const [turn, value] of [a, b, a, b, a, b].entries()) {
    const known = use(value);
    if (known === undefined) continue;
    if (turn > 3 && find(value) !== undefined) found++;
    if (known !== own[turn % 2]) expect.fail(`${known} is not the key of ${JSON.stringify(value)}`);
  }
  return found;
}

/** The list with its second element deleted. */
function holed(list: unknown[]): unknown[] {
  delete list[1];
  return list;
}

describe('pairs of arguments', () => {
  const numRuns = inForm({ short: 1_000, long: 62_500 });
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const places = fc.array(place, { minLength: 8, maxLength: 8 });

  it.each([
    ['anything that can be cloned', clonableValue],
    ['JSON', jsonValue],
  ])(
    'lead to their own keys, equal or changed in one place: %s',
    (_, values) => {
      let found = 0;
      fc.assert(
        fc.property(values, places, (value, all) => {
          for (const at of all) found += expectOwnKeys(value, changedCopy(value, at));
        }),
        { numRuns, seed: 20_261_129 },
      );
      expect(found).toBeGreaterThan(3 * numRuns);
    },
    600_000,
  );

  it('lead to their own keys, any two', () => {
    fc.assert(
      fc.property(clonableValue, jsonValue, (a, b) => {
        expectOwnKeys(a, b);
      }),
      { numRuns, seed: 20_261_129 },
    );
  });

  const named = class extends Array<unknown> {};
  const pairs: readonly (readonly [name: string, a: unknown, b: unknown])[] = [
    ['a hole and undefined', holed([1, 0, 2]), [1, undefined, 2]],
    ['a list and one with a field', [1, 2], Object.assign([1, 2], { more: 3 })],
    ['a list and one with a field for a hole', [1, 2, 3], Object.assign(holed([1, 0, 3]), { more: 2 })],
    ['a list and one of a subclass', ['a', 1], named.from(['a', 1])],
    ['a list and a template', ['a'], ((strings: TemplateStringsArray) => strings)`a`],
    ['a list and an object of its elements', ['a'], { 0: 'a' }],
    ['a list and one within it', [['a']], ['a']],
    ['lists parted in other places', [['a'], ['b']], [['a', 'b'], []]],
    ['objects parted in other places', { a: { b: 1 }, c: 2 }, { a: { b: 1, c: 2 } }],
    ['an object and a list of its names and values', { a: 'b' }, ['a', 'b']],
    ['names and values', { a: 'b', c: 'd' }, { a: 'c', b: 'd' }],
    ['nested Dates after other fields', { a: 1, at: new Date(1) }, { a: 1, at: new Date(2) }],
    ['a Date and its time', { at: new Date(1) }, { at: 1 }],
    ['0 and -0', { n: 0 }, { n: -0 }],
    ['NaN and null', [Number.NaN], [null]],
    ['a number and its text', { n: 1 }, { n: '1' }],
    ['a number and a BigInt', { n: 1 }, { n: 1n }],
    ['a boolean and a number', { n: true }, { n: 1 }],
    ['undefined and nothing', { a: undefined }, {}],
    ['null and undefined', { a: null }, { a: undefined }],
    ['no prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a prototype with fields', Object.assign(Object.create({ b: 1 }), { a: 1 }), { a: 1 }],
    [
      'a class instance',
      new (class Point {
        x = 1;
      })(),
      { x: 1 },
    ],
    ['own `__proto__`', JSON.parse('{"__proto__": {"a": 1}}'), {}],
    ['own `constructor`', { constructor: 'a' }, { constructor: 'b' }],
    ['other orders', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['boxed and bare', [Object('a')], ['a']],
    ['of another realm', runInNewContext('({ a: [1] })'), { a: [1] }],
    [
      'long strings changed in one place',
      { code: 'x'.repeat(5000) },
      { code: `${'x'.repeat(2500)}y${'x'.repeat(2499)}` },
    ],
    ['hidden fields', Object.defineProperty({ a: 1 }, 'b', { value: 2 }), { a: 1 }],
  ];

  it.each(pairs)('lead to their own keys: %s', (_, a, b) => {
    expectOwnKeys(a, b);
    index.clear();
    expectOwnKeys(b, a);
  });

  it('of near-duplicates all lead to their own keys, though they share a bucket', () => {
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 64; i++) {
        const at = i * 60;
        const value = { code: `${'x'.repeat(at)}y${'x'.repeat(4000 - at)}` };
        expect(key(value) ?? canonicalKey(value)).toBe(canonicalKey(value));
      }
    }
  });
});

describe('what takes the canonical road', () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;

  it.each<[string, unknown]>([
    ['a Date, whatever comes after it', { at: new Date(1), a: 1, list: [1] }],
    ['a function', { a: 1, f: () => 1 }],
    ['a symbol', [Symbol('a')]],
    ['a field named by a symbol', { where: { age: { [Symbol.for('gt')]: 18 } } }],
    ['a field of a list named by a symbol', { list: Object.assign([1], { [Symbol.for('gt')]: 18 }) }],
    ['a BigInt', { n: 1n }],
    ['a Map', new Map()],
    ['a hole', holed([1, 0, 2])],
    ['a field beside elements', Object.assign([1], { a: 1 })],
    ['an instance', new (class {})()],
    ['a cycle', cyclic],
    ['more than 64 containers within each other', deep(65)],
    ['more than 64 containers beside each other', Array.from({ length: 64 }, () => [])],
    ['more than 4,096 parts', Array.from({ length: 4100 }, (_, i) => i)],
    ['a signal', { signal: new AbortController().signal }],
  ])('%s', (_, value) => {
    expect(key(value)).toBeUndefined();
    expect(index.size).toBe(0);
  });

  it('and what does not', () => {
    expect(key(deep(64))).toBe(canonicalKey(deep(64)));
    expect(key('text')).toBe(canonicalKey('text'));
    expect(key({ a: [1, 'b', null, undefined, true, 0.5, -0, Number.NaN, {}] })).toBeDefined();
  });

  it('arguments read while all objects inherit a field', () => {
    key({ a: 1, b: 2 });
    Object.defineProperty(Object.prototype, 'b', { value: 2, enumerable: true, configurable: true });
    const known = key({ a: 1 });
    delete (Object.prototype as { b?: number }).b;
    expect(known).toBeUndefined();
  });
});

describe('arguments that say something else each time', () => {
  it.each<[string, (read: () => number) => object]>([
    [
      'getters',
      (read) => ({
        get id() {
          return read();
        },
      }),
    ],
    ['proxies', (read) => new Proxy({ id: 0 }, { get: read })],
  ])('have the key of what was read at one time, and nobody else gets it: %s', (_, changing) => {
    // Of a proxy the `constructor` is read, too.
    const mostReads = 100;
    const keys = Array.from({ length: mostReads }, (_, id) => canonicalKey({ id }));
    let reads = 0;
    const params = changing(() => reads++);
    for (let n = 0; n < 10; n++) {
      const before = reads;
      // Some of what it says leads to a slot, some to none.
      use({ id: before + (n % 3) });
      use({ id: before + (n % 3) });
      const known = use(params);
      expect(keys.slice(before, reads)).toContain(known);
    }
    expect(reads).toBeLessThan(mostReads);
    for (let id = 0; id < mostReads; id++) expect([undefined, keys[id]]).toContain(find({ id }));
    for (let id = 0; id < mostReads; id++) expect(key({ id })).toBe(keys[id]);
  });

  it('may ask for keys themselves while they are read', () => {
    const asking = {
      a: 'before',
      get inner() {
        return key({ other: 1 }) ?? 'none';
      },
      b: 'after',
    };
    expect(key(asking)).toBe(canonicalKey({ a: 'before', inner: 'none', b: 'after' }));
    expect(key({ other: 1 })).toBe(canonicalKey({ other: 1 }));
  });

  it('or throw, and leave nothing behind', () => {
    const throwing = {
      get a(): never {
        throw new Error('no');
      },
    };
    expect(key(throwing)).toBeUndefined();
    expect(key({ a: 1 })).toBe(canonicalKey({ a: 1 }));
  });

  it('or are changed after the call', () => {
    const params = { list: ['a'] };
    key(params);
    params.list.push('b');
    expect(key(params)).toBe(canonicalKey({ list: ['a', 'b'] }));
    expect(key({ list: ['a'] })).toBe(canonicalKey({ list: ['a'] }));
  });
});

it('tells methods, versions and scopes apart', () => {
  const keysOf = () => [
    index.known('a', undefined, chain)?.key,
    index.known('a', '', chain)?.key,
    index.known('a', 'task', chain)?.key,
    index.known('a', undefined, chainOf('other'))?.key,
    index.known('a', undefined, chainOf('tool', '2'))?.key,
  ];
  keysOf();
  keysOf();
  expect(index.size).toBe(5);
  const keys = keysOf();
  expect(keys).toEqual([
    hashKey('tool', 'a'),
    hashKey('tool', 'a', { scope: '' }),
    hashKey('tool', 'a', { scope: 'task' }),
    hashKey('other', 'a'),
    hashKey('tool', 'a', { version: '2' }),
  ]);
  expect(new Set(keys).size).toBe(5);
  expect(index.find('a', undefined, chainOf('tool'))?.key).toBe(keys[0]);
});

it('takes in what comes a second time, and writers leave no trace', () => {
  for (let i = 0; i < 5; i++) find({ a: 1 });
  expect([use({ a: 1 }), index.size]).toEqual([canonicalKey({ a: 1 }), 0]);
  expect([use({ a: 1 }), index.size]).toEqual([canonicalKey({ a: 1 }), 1]);
  expect(find({ a: 1 })).toBe(canonicalKey({ a: 1 }));
});

describe('arguments that were asked for last', () => {
  let hashed: unknown[];

  beforeEach(() => {
    hashed = [];
    const { chain: frame, hashKey: canonical } = chain;
    chain = new Chain(
      frame,
      (params, scope) => {
        hashed.push(params);
        return canonical(params, scope);
      },
      meter,
    );
  });

  it('go the canonical road once, for who asks next or takes them in', () => {
    const params = { a: [1, 'b'] };
    const keys = [use(params), find({ a: [1, 'b'] }), use({ a: [1, 'b'] }), use(params)];
    expect(new Set(keys)).toEqual(new Set([canonicalKey(params)]));
    expect([hashed, index.size]).toEqual([[params], 1]);
    expect(hashed[0]).not.toBe(params);
  });

  it('are told apart from others, also by scope and chain', () => {
    use({ a: 1 });
    expect(find({ a: 2 })).toBeUndefined();
    expect(index.find({ a: 1 }, 'task', chain)?.key).toBeUndefined();
    expect(index.find({ a: 1 }, undefined, chainOf('other'))?.key).toBeUndefined();
    expect(find({ a: 1 })).toBe(canonicalKey({ a: 1 }));
    use({ a: 2 });
    expect([find({ a: 1 }), find({ a: 2 })]).toEqual([undefined, canonicalKey({ a: 2 })]);
  });

  it('are not held where they are large, nor once all were let go', () => {
    use({ a: 'x'.repeat(20_000) });
    expect(find({ a: 'x'.repeat(20_000) })).toBeUndefined();
    use({ a: 1 });
    index.clear();
    expect(find({ a: 1 })).toBeUndefined();
  });
});

describe('its bounds', () => {
  it('hold for slots: 10,000, or twice as many as there are entries', () => {
    for (let i = 0; i < 30_000; i++) key({ i });
    expect(index.size).toBeLessThanOrEqual(2000);
    expect(index.size).toBeGreaterThan(1900);
    index = new ArgumentIndex({ maxSize: 1e9, maxBytes: 2 ** 40 });
    for (let i = 0; i < 30_000; i++) key({ i });
    expect(index.size).toBeLessThanOrEqual(10_000);
    expect(index.size).toBeGreaterThan(9000);
  });

  it('hold for bytes: a sixteenth of those of the entries', () => {
    index = new ArgumentIndex({ maxSize: 1000, maxBytes: 1_600_000 });
    for (let i = 0; i < 1000; i++) {
      key({ i, text: 'x'.repeat(i) });
      expect(index.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(index.bytes).toBeGreaterThan(90_000);
    expect(meter.indexBytes).toBe(index.bytes);
    const { size } = index;
    const large = { text: 'x'.repeat(100_000) };
    expect(key(large)).toBe(canonicalKey(large));
    expect(index.size).toBe(size);
    index.clear();
    expect([index.size, index.bytes, meter.indexBytes]).toEqual([0, 0, 0]);
  });

  it('let the slot go that was used least recently', () => {
    index = new ArgumentIndex({ maxSize: 4, maxBytes: 2 ** 20 });
    for (let i = 0; i < 8; i++) key({ i });
    use({ i: 0 });
    key({ i: 8 });
    expect([find({ i: 0 }), find({ i: 1 })]).toEqual([canonicalKey({ i: 0 }), undefined]);
  });
});

it('spreads arguments over its buckets', () => {
  index = new ArgumentIndex({ maxSize: 5000, maxBytes: 2 ** 30 });
  for (let i = 0; i < 5000; i++) key({ query: `order ${i}`, page: i % 10 });
  for (let i = 0; i < 5000; i++) key({ n: i / 7 });
  // As balls in bins: half of 10,000 places are left after 5,000, and few are pushed out of 1,250 buckets of 8.
  expect(index.size).toBeGreaterThan(8000);
});
