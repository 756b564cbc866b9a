import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { inForm } from '../helper/form.js';
import { isSameValue } from './same-value.js';

const codec = createValueCodec();

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  // Any UTF-16 code units, lone surrogates included.
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 })).map((units) => String.fromCharCode(...units)),
);

const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON', 'length', '0', '-1', ''));

const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 2 ** 32, -(2 ** 32), 2 ** 53, -(2 ** 53), 2 ** 63),
);

/** Tags and the arrays of forms, to be taken for data and not for forms. */
const lookalike = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 19 }));

const { value } = fc.letrec<{ value: unknown }>((tie) => {
  const item = tie('value');
  const few = fc.array(item, { maxLength: 4, depthIdentifier: 'value' });
  const entries = fc.array(fc.tuple(key, item), { maxLength: 4, depthIdentifier: 'value' });
  return {
    value: fc.oneof(
      { depthIdentifier: 'value', maxDepth: 6 },
      fc.oneof(text, number, fc.boolean(), fc.constantFrom(null, undefined), fc.bigInt()),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.float64Array(),
      fc.bigInt64Array(),
      fc.uint16Array().map((view) => view.subarray(1)),
      fc.constantFrom(/a|b/g, /[^/]/u).map((regExp) => new RegExp(regExp)),
      lookalike,
      few,
      few.map((items) => Object.assign([...items], { length: items.length + 2 })),
      entries.map((pairs) => define({}, pairs)),
      entries.map((pairs) => define(Object.create(null), pairs)),
      entries.map((pairs) =>
        define(
          [1, 2],
          pairs.filter(([name]) => name !== 'length'),
        ),
      ),
      entries.map((pairs) => new Map<unknown, unknown>(pairs)),
      fc
        .array(fc.tuple(item, item), { maxLength: 3, depthIdentifier: 'value' })
        .map((pairs) => new Map(pairs)),
      few.map((items) => new Set(items)),
      fc
        .tuple(text, item, item)
        .map(([message, cause, code]) => Object.assign(new TypeError(message, { cause }), { code })),
    ),
  };
});

function define(target: object, pairs: readonly (readonly [string, unknown])[]): object {
  for (const [name, item] of pairs) {
    Object.defineProperty(target, name, {
      value: item,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return target;
}

/** All arrays, objects, Maps and Sets in a value. */
function containersOf(root: unknown, found = new Set<object>()): Set<object> {
  if (typeof root !== 'object' || root === null || found.has(root) || ArrayBuffer.isView(root)) return found;
  found.add(root);
  const inside =
    root instanceof Map ? [...root].flat() : root instanceof Set ? [...root] : Object.values(root);
  for (const item of inside) containersOf(item, found);
  return found;
}

/** Ties containers of a value together: shared references and cycles. */
function tie(root: unknown, knots: readonly (readonly [number, number])[]): unknown {
  const containers = [...containersOf(root)].filter(
    (item) => !(item instanceof Date || item instanceof RegExp),
  );
  if (containers.length === 0) return root;
  for (const [index, [from, to]] of knots.entries()) {
    const source = containers[from % containers.length];
    const target = containers[to % containers.length];
    if (source instanceof Map) source.set(target, target);
    else if (source instanceof Set) source.add(target);
    else Object.assign(source as object, { [`knot ${index}`]: target });
  }
  return root;
}

describe('any structured value', () => {
  it('comes back the same: contents, types, order and sharing', () => {
    fc.assert(
      fc.property(value, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }), (root, knots) => {
        const original = tie(root, knots);
        expect(isSameValue(original, codec.decode(codec.encode(original)))).toBe(true);
      }),
      { numRuns: inForm({ short: 1_000, long: 5_000 }) },
    );
  });

  it('is encoded or refused, never changed, whatever fast-check can think of', () => {
    const anything = fc.anything({
      key,
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, (original) => {
        let encoded: Uint8Array;
        try {
          encoded = codec.encode(original);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_UNSTORABLE_VALUE' });
          return;
        }
        expect(isSameValue(original, codec.decode(encoded))).toBe(true);
      }),
      { numRuns: inForm({ short: 600, long: 3_000 }) },
    );
  });
});

/** Around the lengths from which on strings are written in other ways. */
const longTexts = fc
  .tuple(
    fc.constantFrom(24, 32, 256, 4_096, 21_845, 65_536, 2 ** 18),
    fc.integer({ min: -2, max: 2 }),
    fc.constantFrom('a', 'é', '中', '😀'),
  )
  .map(([length, more, unit]) => JSON.stringify({ [unit]: unit.repeat(length + more) }));

describe('JSON-like values', () => {
  it('are plain msgpack and come back the same', () => {
    const json = fc.jsonValue({ maxDepth: 6 });
    fc.assert(
      fc.property(json, (original) => {
        const encoded = codec.encode(original);
        if (!JSON.stringify(original).includes('__proto__')) expect(encoded[0]).not.toBe(0xc9);
        expect(isSameValue(original, codec.decode(encoded))).toBe(true);
      }),
      { numRuns: inForm({ short: 600, long: 3_000 }) },
    );
  });

  it('are what another implementation of msgpack reads and writes, byte for byte', () => {
    const packr = new Packr({ useRecords: false, variableMapSize: true });
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' });
    // msgpackr writes -0 as 0 and integers beyond 32 bits as floats, and renames `__proto__`.
    const isSame = (item: unknown) => !Number.isInteger(item) || Math.abs(item as number) < 2 ** 31;
    const json = fc
      .oneof(fc.json({ maxDepth: 6 }), fc.json({ depthSize: 'large', stringUnit: 'binary' }), longTexts)
      .filter((text) => !text.includes('__proto__'))
      .map((text): unknown =>
        JSON.parse(text, (_, item: unknown) => (item === 0 || !isSame(item) ? 0 : item)),
      );
    fc.assert(
      fc.property(json, (original) => {
        const encoded = codec.encode(original);
        expect(Buffer.from(encoded).equals(packr.pack(original))).toBe(true);
        expect(isSameValue(unpackr.unpack(encoded), original)).toBe(true);
      }),
      { numRuns: inForm({ short: 400, long: 2_000 }) },
    );
  });
});
