/** Values of every type that tools return: those that must survive, and those that must be refused. */

import { createContext, runInContext } from 'node:vm';

/** Values that come back equal. `plain` ones are standard msgpack that other languages read. */
export const storableValues: readonly (readonly [name: string, value: unknown, form: 'plain' | 'rich'])[] = [
  ['null', null, 'plain'],
  ['true', true, 'plain'],
  ['an empty string', '', 'plain'],
  ['a string with control characters', 'a\0\u007f\r\n', 'plain'],
  ['astral characters', '💥 日本 é', 'plain'],
  ['a long string', 'naïve '.repeat(20_000), 'plain'],
  ['-0', -0, 'plain'],
  ['NaN', Number.NaN, 'plain'],
  ['Infinity', Number.POSITIVE_INFINITY, 'plain'],
  ['-Infinity', Number.NEGATIVE_INFINITY, 'plain'],
  ['the smallest fraction', Number.MIN_VALUE, 'plain'],
  ['the largest number', Number.MAX_VALUE, 'plain'],
  ['integers of every width', integers(), 'plain'],
  ['an empty array', [], 'plain'],
  ['an empty object', {}, 'plain'],
  [
    'records',
    [
      { id: 1, at: 1_795_000_000_000, tags: ['a'] },
      { id: 2, at: null, tags: [] },
    ],
    'plain',
  ],
  ['an array of 70,000 items', Array.from({ length: 70_000 }, (_, index) => index), 'plain'],
  [
    'an object of 70,000 keys',
    Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
    'plain',
  ],
  [
    'keys that look like methods',
    { constructor: 1, toJSON: 2, hasOwnProperty: 3, __keys__: 4, length: 5 },
    'plain',
  ],
  ['integer-like keys', { 2: 'b', 1: 'a', '-1': 'c', '01': 'd' }, 'plain'],
  ['a frozen object, which comes back unfrozen', Object.freeze({ a: Object.freeze([1]) }), 'plain'],
  ['2,000 rows', Array.from({ length: 2_000 }, (_, id) => ({ row: [id, [{}]] })), 'plain'],
  ['200 levels', nested(200), 'plain'],
  ['undefined', undefined, 'rich'],
  ['undefined in a field', { a: undefined, b: [undefined] }, 'rich'],
  ['an own __proto__ key', JSON.parse('{"a": {"__proto__": {"b": 1}}}'), 'rich'],
  ['a lone surrogate', '\ud83d', 'rich'],
  ['lone surrogates inside', { text: 'x\udc00y', '\ud800': 1 }, 'rich'],
  ['1,000 levels', nested(1000), 'rich'],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1, ['__proto__']: 2 }), 'rich'],
  ['a sparse array', sparse(), 'rich'],
  ['a huge sparse array', hugeSparse(), 'rich'],
  ['a match with groups', 'say hello'.match(/(?<word>h\w+)/), 'rich'],
  ['arrays that look like forms', { a: [[], 0], b: [[1], 2, undefined], c: [0, 1] }, 'rich'],
  ['a cycle', cycle(), 'rich'],
  ['shared references', shared(), 'rich'],
  ['BigInts', [0n, -1n, 2n ** 63n, -(2n ** 64n), 10n ** 400n, -(10n ** 400n)], 'rich'],
  ['a Date', new Date(1_795_000_000_123), 'rich'],
  ['the first Date', new Date(-8.64e15), 'rich'],
  ['an invalid Date', new Date(Number.NaN), 'rich'],
  [
    'a Map with object keys',
    new Map<unknown, unknown>([
      [{ a: 1 }, 'x'],
      [1, 'n'],
      ['1', 's'],
      [-0, 'z'],
    ]),
    'rich',
  ],
  ['a Map that contains itself', selfMap(), 'rich'],
  ['a Set', new Set<unknown>(['b', 'a', { c: 1 }, undefined]), 'rich'],
  ['a RegExp', new RegExp('a/\\d\n\ud800', 'giu'.replace('u', '')), 'rich'],
  ['a RegExp in use', usedRegExp(), 'rich'],
  ['an Error', new Error('failed'), 'rich'],
  [
    'an Error with code and cause',
    Object.assign(new TypeError('bad', { cause: new Date(5) }), { code: 'E_BAD' }),
    'rich',
  ],
  ['an Error without a message', new RangeError(), 'rich'],
  ['a renamed Error', Object.assign(new Error('x'), { name: 'HttpError', status: 404 }), 'rich'],
  ['an AggregateError', new AggregateError([new SyntaxError('a'), 'b'], 'both'), 'rich'],
  ['an Error that is its own cause', selfCause(), 'rich'],
  [
    'an Error with hidden properties',
    Object.defineProperties(new Error('x'), {
      response: { value: { status: 404 } },
      code: { value: 'E_BAD' },
    }),
    'rich',
  ],
  ['a Buffer', Buffer.from('bytes'), 'rich'],
  ['Buffers side by side in the pool', [Buffer.from('one'), Buffer.from('two'), Buffer.from('')], 'rich'],
  ['parts of one ArrayBuffer, in any order', partsOf(new ArrayBuffer(48)), 'rich'],
  ['an empty Buffer', Buffer.alloc(0), 'rich'],
  ['an ArrayBuffer', Uint8Array.from([1, 2, 3]).buffer, 'rich'],
  ['a DataView', new DataView(Uint8Array.from([1, 2, 3, 4]).buffer, 1, 2), 'rich'],
  ...typedArrays().map((view) => [`a ${view.constructor.name}`, view, 'rich'] as const),
  ['a typed array shared within a value', sharedView(), 'rich'],
  ['a URL', new URL('https://user:pass@example.org:8080/a%20b?q=1#h'), 'rich'],
  [
    'URLSearchParams',
    new URLSearchParams([
      ['a', '1'],
      ['a', ' &='],
    ]),
    'rich',
  ],
];

/** What is refused, and where. */
export const refusedValues: readonly (readonly [name: string, value: unknown, path: string, what: RegExp])[] =
  [
    ['a function', () => 1, 'value', /a function/],
    ['a method in records', { rows: [{ close() {} }] }, 'value.rows[0].close', /the function `close`/],
    ['a symbol', { a: Symbol('s') }, 'value.a', /a symbol/],
    ['a class instance', { a: [new (class Account {})()] }, 'value.a[0]', /an instance of `Account`/],
    ['an array subclass', new (class Rows extends Array {})(), 'value', /an instance of `Rows`/],
    ['an Error subclass', new (class HttpError extends Error {})(), 'value', /an instance of `HttpError`/],
    ['a Map subclass', new (class Headers2 extends Map {})(), 'value', /an instance of `Headers2`/],
    ['an object with a prototype of its own', Object.create({ a: 1 }), 'value', /prototype/],
    ['an object that only claims to be a Map', Object.create(Map.prototype), 'value', /an instance of `Map`/],
    ['a Promise', { rows: Promise.resolve() }, 'value.rows', /await/],
    ['a WeakMap', new WeakMap(), 'value', /`WeakMap`/],
    ['a stream', new ReadableStream(), 'value', /`ReadableStream`/],
    ['a Response', new Response('x'), 'value', /`Response`/],
    ['a generator', (function* () {})(), 'value', /./],
    ['a Proxy', { a: new Proxy({}, {}) }, 'value.a', /a Proxy/],
    ['a revoked Proxy', revoked(), 'value', /a Proxy/],
    ['a boxed number', Object(1), 'value', /`Number`/],
    [
      'a getter',
      {
        get total() {
          throw new Error('called');
        },
      },
      'value.total',
      /a getter/,
    ],
    ['a setter', { a: { set b(_: unknown) {} } }, 'value.a.b', /a getter/],
    [
      'a property whose key is a symbol',
      { a: { [Symbol('secret')]: 1 } },
      'value.a[Symbol(secret)]',
      /symbol/,
    ],
    ['a hidden property', Object.defineProperty({}, 'hidden', { value: 1 }), 'value.hidden', /hidden/],
    ['a hidden property of an array', Object.defineProperty([1], 'raw', { value: 1 }), 'value.raw', /hidden/],
    [
      'a hidden property of a long array',
      Object.defineProperty(Array(100).fill(1), 'raw', { value: 1 }),
      'value.raw',
      /hidden/,
    ],
    ['a symbol on an array', Object.assign([1], { [Symbol('s')]: 1 }), 'value[Symbol(s)]', /symbol/],
    [
      'a symbol on a long array',
      Object.assign(Array(100).fill(1), { [Symbol('s')]: 1 }),
      'value[Symbol(s)]',
      /symbol/,
    ],
    ['a Map with properties', Object.assign(new Map(), { size2: 1 }), 'value', /properties of its own/],
    ['a Date with properties', Object.assign(new Date(0), { zone: 'UTC' }), 'value', /properties of its own/],
    [
      'an Error with a getter',
      Object.defineProperty(new Error('x'), 'a', { get: () => 1, enumerable: true }),
      'value',
      /getter `a`/,
    ],
    [
      'an Error whose message is a getter',
      Object.defineProperty(new Error('x'), 'message', { get: () => 'y' }),
      'value',
      /getter `message`/,
    ],
    [
      'an Error with a hidden class instance',
      { error: Object.defineProperty(new Error('x'), 'response', { value: new Response('x') }) },
      'value.error.response',
      /`Response`/,
    ],
    [
      'an Error with a symbol',
      Object.assign(new Error('x'), { [Symbol('s')]: 1 }),
      'value',
      /the symbol `Symbol\(s\)`/,
    ],
    [
      'a RegExp whose position is a string',
      { a: Object.assign(/a/g, { lastIndex: '3' }) },
      'value.a',
      /lastIndex/,
    ],
    [
      'a Buffer with properties',
      { a: Object.assign(Buffer.alloc(2), { x: 1 }) },
      'value.a',
      /properties of its own/,
    ],
    [
      'a large typed array with properties',
      Object.assign(new Float64Array(1e6), { x: 1 }),
      'value',
      /properties of its own/,
    ],
    [
      'a DataView with a symbol',
      Object.assign(new DataView(new ArrayBuffer(2)), { [Symbol('s')]: 1 }),
      'value',
      /properties of its own/,
    ],
    [
      'a URL with properties',
      Object.assign(new URL('http://a/'), { x: 1 }),
      'value',
      /properties of its own/,
    ],
    [
      'URLSearchParams with properties',
      Object.assign(new URLSearchParams(), { x: 1 }),
      'value',
      /properties of its own/,
    ],
    ['views that overlap', overlapping(), 'value.items[3]', /another view/],
    ['a view beside its ArrayBuffer', withItsBuffer(new Uint8Array(4)), 'value[1]', /another view/],
    ['a getter on an index', { a: withAccessor(3, { get: () => 1 }) }, 'value.a[1]', /a getter/],
    ['a getter on an index of a long array', withAccessor(100, { get: () => 1 }), 'value[1]', /a getter/],
    ['a setter on an index', withAccessor(3, { set() {} }), 'value[1]', /a getter/],
    ['a function as a cause', new Error('x', { cause: () => 1 }), 'value.cause', /function `cause`/],
    ['shared memory', { a: new SharedArrayBuffer(4) }, 'value.a', /`SharedArrayBuffer`/],
    ['a view on shared memory', new Uint8Array(new SharedArrayBuffer(4)), 'value', /shared memory/],
    ['a resizable ArrayBuffer', resizable(), 'value', /resizable/],
    ['a detached ArrayBuffer', detached().buffer, 'value', /detached/],
    ['a view on a detached ArrayBuffer', detached(), 'value', /detached/],
    ['a key of a Map', new Map([[() => 1, 1]]), 'value<key 0>', /a function/],
    ['a value of a Map', new Map([['a', [() => 1]]]), 'value<value 0>[0]', /a function/],
    ['an item of a Set', new Set([1, () => 1]), 'value<item 1>', /a function/],
    ['a key that is no identifier', { 'a b': { '': () => 1 } }, 'value["a b"][""]', /a function/],
    ['the arguments of a call', argumentsOf(1), 'value.length', /hidden/],
  ];

/** Objects of another realm count as plain, and come back as this realm's. */
export function foreignValue(): unknown {
  return runInContext('({ rows: [{ a: 1 }, []] })', createContext());
}

/** A value with `levels` objects and arrays around one leaf. */
export function nested(levels: number): unknown {
  let value: unknown = 'leaf';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

function integers(): number[] {
  const powers = [5, 7, 8, 15, 16, 31, 32, 33, 52, 53].map((bits) => 2 ** bits);
  return powers.flatMap((power) => [power - 1, power, -power + 1, -power]).concat(-33, 2 ** 60, -1);
}

function sparse(): unknown[] {
  // biome-ignore lint/suspicious/noSparseArray: holes are what is tested
  return [1, , undefined, 3, ,];
}

function hugeSparse(): unknown[] {
  const array: unknown[] = [];
  array[2 ** 32 - 2] = 'last';
  return Object.assign(array, { 4294967295: 'no index', __proto__2: 1 });
}

function cycle(): unknown {
  const parent: Record<string, unknown> = { name: 'parent' };
  parent['children'] = [{ name: 'child', parent }];
  return parent;
}

function shared(): unknown {
  const row = { a: 1 };
  return { first: row, again: [row, row], date: [new Date(0)] };
}

function selfMap(): unknown {
  const map = new Map<unknown, unknown>([['a', 1]]);
  return map.set(map, map);
}

function usedRegExp(): RegExp {
  const regExp = /a/g;
  regExp.test('aa');
  return regExp;
}

function partsOf(buffer: ArrayBuffer): unknown {
  const starts = [16, 32, 0, 8, 40, 24];
  return [...starts.map((start) => new Uint8Array(buffer, start, 8)), new Uint8Array(buffer, 4, 0)];
}

function selfCause(): Error {
  const error = new Error('loop');
  error.cause = { error };
  return error;
}

function sharedView(): unknown {
  const view = Float64Array.of(1.5, -0);
  return [view, view];
}

function typedArrays(): ArrayBufferView[] {
  const bytes = Uint8Array.from({ length: 48 }, (_, index) => index * 5);
  const { buffer } = bytes;
  const views: ArrayBufferView[] = [
    new Int8Array(buffer, 3, 5),
    new Uint8Array(buffer, 1, 7),
    new Uint8ClampedArray(buffer, 1, 7),
    new Int16Array(buffer, 2, 3),
    new Uint16Array(buffer, 2, 3),
    new Int32Array(buffer, 4, 3),
    new Uint32Array(buffer, 4, 3),
    new Float32Array(buffer, 8, 3),
    new Float64Array(buffer, 8, 3),
    new BigInt64Array(buffer, 8, 2),
    new BigUint64Array(buffer, 8, 2),
  ];
  const half = (globalThis as { Float16Array?: new (buffer: ArrayBuffer) => ArrayBufferView }).Float16Array;
  return half === undefined ? views : [...views, new half(buffer)];
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function overlapping(): unknown {
  const buffer = new ArrayBuffer(24);
  const part = (start: number, end: number) => new Uint8Array(buffer, start, end - start);
  return { items: [part(16, 24), part(0, 8), part(8, 12), part(11, 13)] };
}

function withItsBuffer(view: Uint8Array): unknown {
  return [view, view.buffer];
}

function withAccessor(length: number, accessor: PropertyDescriptor): unknown {
  return Object.defineProperty(Array(length).fill(1), 1, { enumerable: true, ...accessor });
}

function resizable(): unknown {
  return Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]);
}

function detached(): Uint8Array {
  const view = new Uint8Array(4);
  structuredClone(view, { transfer: [view.buffer] });
  return view;
}

function argumentsOf(..._values: unknown[]): unknown {
  // biome-ignore lint/complexity/noArguments: the arguments object is what is tested
  return arguments;
}
