/** Random values to make keys of. */

import fc from 'fast-check';

/** UTF-16 units where escapes, sort orders and encodings change, lone surrogates among them. */
const notableUnits = [
  0, 8, 9, 10, 13, 0x1f, 0x20, 0x22, 0x2f, 0x5c, 0x61, 0x7a, 0x7e, 0x7f, 0x80, 0xff, 0x100, 0x7ff, 0x800,
  0x2028, 0xd7ff, 0xd800, 0xd83d, 0xdbff, 0xdc00, 0xdda6, 0xdfff, 0xe000, 0xfeff, 0xffff,
];

export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.array(fc.constantFrom(...notableUnits), { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '__proto__', 'constructor', 'toJSON', 'length', '0', '10', '9'),
);

export const number: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.maxSafeInteger(),
  fc.double(),
  fc.double({ min: -1, max: 1 }),
  fc
    .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: -12, max: 25 }))
    .map(([n, e]) => Number(`${n}e${e}`)),
  fc.constantFrom(
    -0,
    Number.NaN,
    Infinity,
    -Infinity,
    5e-324,
    1e-5,
    1e-4,
    9.999e-5,
    1e21,
    1e22,
    2 ** 53,
    2 ** 64,
  ),
);

/** Integers as an edge that parses JSON makes them: BigInts only where no number is equal. */
export const integer: fc.Arbitrary<number | bigint> = fc
  .bigInt({ min: -(2n ** 130n), max: 2n ** 130n })
  .map((value) => (BigInt(Number(value)) === value ? Number(value) : value));

/** JSON values as JavaScript can hold them, in Python's sense: with NaN, infinities, and BigInts that no number equals. */
export const jsonValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 7, depthSize: 'small' },
    { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
    { weight: 3, arbitrary: text },
    { weight: 3, arbitrary: number },
    { weight: 1, arbitrary: integer },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 5 }) },
    { weight: 4, arbitrary: fields(tie('value')) },
  ),
})).value;

/** Plain objects, with and without a prototype, their keys in any order. */
export function fields(value: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const entries = fc.uniqueArray(fc.tuple(text, value), { selector: ([key]) => key, maxLength: 6 });
  return fc.tuple(entries, fc.boolean()).map(([pairs, hasPrototype]) => {
    const object: object = Object.fromEntries(pairs);
    return hasPrototype ? object : Object.setPrototypeOf(object, null);
  });
}

const bytes = fc
  .uint8Array({ maxLength: 4 })
  .map((array) => Uint8Array.from({ length: 8 }, (_, i) => array[i] ?? 0));

const builtInErrors = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];

const richLeaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: -2, max: 2 }).map(BigInt),
  fc.integer({ min: -2, max: 2 }).map((i) => 2n ** 53n + BigInt(i)),
  fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(Number.NaN)).map((time) => new Date(time)),
  fc
    .tuple(fc.constantFrom('a', 'a|b', '"', '/'), fc.constantFrom('', 'g', 'gi'))
    .map(([source, flags]) => new RegExp(source, flags)),
  fc.constantFrom<unknown>(0, -0, 1, 'a', '', true, false, 1n).map(Object),
  fc.tuple(bytes, fc.integer({ min: 0, max: 12 })).map(([{ buffer }, kind]) => viewsOf(buffer)[kind]),
);

function viewsOf(buffer: ArrayBuffer): readonly object[] {
  return [
    buffer,
    new DataView(buffer),
    new DataView(buffer, 2),
    new Uint8Array(buffer),
    new Uint8Array(buffer, 1, 2),
    new Int8Array(buffer),
    new Uint8ClampedArray(buffer),
    new Int16Array(buffer),
    new Uint32Array(buffer),
    new Float32Array(buffer),
    new Float64Array(buffer),
    new BigInt64Array(buffer),
    new BigUint64Array(buffer),
  ];
}

/** Anything that `structuredClone` takes, small enough that two of them are sometimes the same. */
export const clonableValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => {
  const list = fc.array(tie('value'), { maxLength: 3 });
  return {
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
      { weight: 1, arbitrary: text },
      { weight: 1, arbitrary: number },
      { weight: 3, arbitrary: richLeaf },
      { weight: 2, arbitrary: list },
      {
        weight: 1,
        arbitrary: fc.tuple(list, fc.integer({ min: 0, max: 3 }), fields(tie('value'))).map(unusualArray),
      },
      { weight: 3, arbitrary: fields(tie('value')) },
      {
        weight: 2,
        arbitrary: fc
          .array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 })
          .map((all) => new Map(all)),
      },
      { weight: 2, arbitrary: list.map((all) => new Set(all)) },
      { weight: 1, arbitrary: fc.tuple(fc.nat(6), text, fc.option(tie('value'))).map(errorOf) },
    ),
  };
}).value;

/** An array with holes, with fields beside its elements, or with neither. */
function unusualArray([elements, holes, extra]: [unknown[], number, object]): unknown[] {
  const array = [...elements];
  array.length += holes;
  for (const [key, field] of Object.entries(extra)) {
    if (key !== 'length')
      Object.defineProperty(array, key, {
        value: field,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return array;
}

function errorOf([kind, message, cause]: [number, string, unknown]): Error {
  const BuiltIn = builtInErrors[kind] ?? Error;
  return cause === null ? new BuiltIn(message) : new BuiltIn(message, { cause });
}
