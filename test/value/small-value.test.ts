import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper } from '../../src/value/keeper.js';
import { SmallValue, SmallValueReader } from '../../src/value/small-value.js';
import { isSameValue } from './same-value.js';
import { storableValues } from './value-table.js';

const codec = createValueCodec();
const small = (value: unknown) => new SmallValue(codec.encode(value));

/** All objects and lists within a value. */
function partsOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(partsOf)];
}

describe('a small value that is read again and again', () => {
  afterEach(() => {
    delete (Object.prototype as { inherited?: unknown }).inherited;
  });

  it('is each time the same, in an object of its own', () => {
    const keeper = copyingKeeper(codec, { maxBytes: 2 ** 20 });
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const { stored } = keeper.encode(value);
        const copies = Array.from({ length: 4 }, () => keeper.decode(stored));
        expect(copies.every((copy) => isSameValue(value, copy))).toBe(true);
        const parts = copies.flatMap(partsOf);
        expect(new Set(parts).size).toBe(parts.length);
        return isSameValue(value, codec.decode(keeper.toMsgpack(stored)));
      }),
      { numRuns: 500 },
    );
  });

  it.each(storableValues)('is the same when it is %s', (_name, value) => {
    const keeper = copyingKeeper(codec, { maxBytes: 2 ** 20 });
    const { stored } = keeper.encode(value);
    for (let read = 0; read < 4; read++) expect(isSameValue(value, keeper.decode(stored))).toBe(true);
  });

  it('may be nested as deeply as the bytes are long', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    const value = new SmallValue(Buffer.from([...new Array(1001).fill(0x91), 1]));
    for (let read = 0; read < 4; read++) expect(partsOf(reader.read(value)).length).toBe(1001);
  });

  it('is not touched by what callers do to their copies', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    const value = small({ rows: [{ id: 1 }], 1: 'one' });
    for (let read = 0; read < 5; read++) {
      const copy = reader.read(value) as { rows: { id: number }[] };
      expect(copy).toEqual({ rows: [{ id: 1 }], 1: 'one' });
      copy.rows[0]!.id = 2;
      copy.rows.push({ id: 3 });
    }
    expect(value.decoded).toEqual({ rows: [{ id: 1 }], 1: 'one' });
  });

  it('has no fields of its own that all objects inherit', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    const value = small({ a: 1 });
    for (let read = 0; read < 3; read++) reader.read(value);
    Object.assign(Object.prototype, { inherited: true });
    expect(Object.keys(reader.read(value) as object)).toEqual(['a']);
  });

  it('has none either that all objects inherited when it was read first', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    const value = small({ a: 1 });
    Object.assign(Object.prototype, { inherited: true });
    for (let read = 0; read < 3; read++) reader.read(value);
    delete (Object.prototype as { inherited?: unknown }).inherited;
    for (let read = 0; read < 3; read++) expect(Object.keys(reader.read(value) as object)).toEqual(['a']);
  });

  it('has one object where it had one in two places', () => {
    const keeper = copyingKeeper(codec, { maxBytes: 2 ** 20 });
    const one = { n: 1 };
    const { stored } = keeper.encode({ rows: [{ first: one, second: one }] });
    for (let read = 0; read < 4; read++) {
      const { rows } = keeper.decode(stored) as { rows: [{ first: object; second: object }] };
      expect(rows[0].first).toBe(rows[0].second);
    }
  });

  it('keeps an own `__proto__`', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    // {"__proto__": [1]}
    const value = new SmallValue(Buffer.from([0x81, 0xa9, ...Buffer.from('__proto__'), 0x91, 1]));
    for (let read = 0; read < 4; read++) {
      const copy = reader.read(value) as object;
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect(Object.getOwnPropertyDescriptor(copy, '__proto__')?.value).toEqual([1]);
    }
  });

  it('is held decoded from its second reading on', () => {
    const reader = new SmallValueReader(codec, 2 ** 20);
    const value = small({ a: 1 });
    reader.read(value);
    expect(value.decoded).toBe(undefined);
    reader.read(value);
    expect(value.decoded).toEqual({ a: 1 });
    expect(value.heldBytes).toBeGreaterThan(value.encoded.byteLength);
  });

  it('gives way where too many are read, and nothing is held beyond the bound', () => {
    const maxBytes = 4096;
    const reader = new SmallValueReader(codec, maxBytes);
    const values = Array.from({ length: 50 }, (_, id) => small({ id, text: 'x'.repeat(id) }));
    const held = () => values.filter(({ decoded }) => decoded !== undefined);
    for (let pass = 0; pass < 40; pass++) {
      for (const [id, value] of values.entries()) {
        expect(reader.read(value)).toEqual({ id, text: 'x'.repeat(id) });
        expect(held().reduce((sum, { heldBytes }) => sum + heldBytes, 0)).toBeLessThanOrEqual(maxBytes);
      }
    }
    expect(held().length).toBeGreaterThan(2);
    expect(held().some((value) => values.indexOf(value) > 10)).toBe(true);
  });
});
