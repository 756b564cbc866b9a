/** The copies of arguments that tools get are equal to them to the last hidden field, and share nothing. */

import { describe, expect, it } from 'vitest';
import { plainCopy } from '../../src/wrap/plain-copy.js';

const symbol = Symbol('field');

/** All that can be told of a value by its own fields, at every depth. */
function told(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const fields = Reflect.ownKeys(value).map((key) => {
    const { enumerable, get } = Object.getOwnPropertyDescriptor(value, key)!;
    return [key, enumerable, get === undefined ? told(Reflect.get(value, key)) : 'a getter'];
  });
  return { prototype: Object.getPrototypeOf(value), isArray: Array.isArray(value), fields };
}

const hidden = <T extends object>(value: T) => Object.defineProperty(value, 'hidden', { value: 1 });
const holed = (list: unknown[]) => {
  delete list[1];
  return list;
};

describe('what is copied', () => {
  it.each<[string, object]>([
    ['an object', { a: 1, b: 'two', c: { d: [1, { e: null }] }, f: undefined }],
    ['one without a prototype', Object.assign(Object.create(null), { a: { b: 1 } })],
    ['own `__proto__`', JSON.parse('{"__proto__": {"a": [1]}, "b": 2}')],
    ['symbols', { [symbol]: { a: 1 }, b: 1 }],
    ['hidden fields', { a: hidden({ b: 1 }), c: hidden([{ d: 1 }]) }],
    ['an empty list', []],
    ['holes', holed([1, 2, { a: 1 }])],
    ['fields beside elements', Object.assign([1, 2], { a: { b: 1 } })],
    ['as many fields as holes', Object.assign(holed([1, 2, 3]), { a: 1 })],
    ['hidden elements', Object.defineProperty([1, 2], 1, { enumerable: false })],
  ])('is equal: %s', (_, value) => {
    expect(told(plainCopy(value))).toEqual(told(value));
  });

  it.each<[string, object]>([
    ['objects', { a: { b: {} }, [symbol]: {} }],
    ['lists', [[{}], { a: [] }]],
    ['hidden beside', hidden({ a: { b: {} } })],
  ])('shares nothing: %s', (_, value) => {
    const shared = new Set<unknown>();
    const collect = (each: unknown): void => {
      if (typeof each !== 'object' || each === null) return;
      shared.add(each);
      for (const key of Reflect.ownKeys(each)) collect(Reflect.get(each, key));
    };
    const look = (each: unknown): void => {
      if (typeof each !== 'object' || each === null) return;
      expect(shared.has(each)).toBe(false);
      for (const key of Reflect.ownKeys(each)) look(Reflect.get(each, key));
    };
    collect(value);
    look(plainCopy(value));
  });

  it('is what getters say, once and for all', () => {
    let reads = 0;
    const copy = plainCopy({
      get a() {
        return { reads: ++reads };
      },
    });
    expect(told(copy)).toEqual(told({ a: { reads: 1 } }));
  });

  it('is a list of its own class no more', () => {
    expect(told(plainCopy(new (class extends Array<number> {})(1, 2)))).toEqual(told([1, 2]));
  });
});
