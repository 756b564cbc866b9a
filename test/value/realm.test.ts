/** Values of another realm: they are stored, and come back as this realm's. */

import { createContext, runInContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';

const context = createContext();
const foreign = (source: string): unknown => runInContext(source, context);
const codec = createValueCodec();

it.each<[string, unknown]>([
  ['new Date(5)', new Date(5)],
  ['/a"b/gi', /a"b/gi],
  ['new Map([[{ a: 1 }, new Map()]])', new Map([[{ a: 1 }, new Map()]])],
  ['new Set([1n, [2]])', new Set<unknown>([1n, [2]])],
  ['new Error("no", { cause: { at: new Date(1) } })', new Error('no', { cause: { at: new Date(1) } })],
  ['new RangeError("no")', new RangeError('no')],
  ['new AggregateError([new TypeError("a")], "no")', new AggregateError([new TypeError('a')], 'no')],
  ['new ArrayBuffer(3)', new ArrayBuffer(3)],
  ['Uint8Array.of(1, 2)', Uint8Array.of(1, 2)],
  ['new Float64Array([0.5])', Float64Array.of(0.5)],
  ['new BigInt64Array([-1n])', BigInt64Array.of(-1n)],
  ['new DataView(new ArrayBuffer(4), 1, 2)', new DataView(new ArrayBuffer(2))],
  ['[1, , undefined]', Object.assign(new Array(3), { 0: 1, 2: undefined })],
])('%s', (source, ours) => {
  const value = foreign(source);
  const back = codec.decode(codec.encode(value));
  if (ours instanceof Error) {
    expect((back as Error).stack).toBe((value as Error).stack);
    Object.assign(ours, { stack: (value as Error).stack });
    const cause = (ours as AggregateError).errors?.[0] as Error | undefined;
    if (cause) cause.stack = (value as AggregateError).errors[0].stack;
  }
  expect(back).toStrictEqual(ours);
  // The first value of a shape counts its keys for all that follow.
  codec.measure(ours);
  expect(codec.measure(value)).toBe(codec.measure(ours));
});

it.each([
  'Object.assign(new Date(5), { zone: "UTC" })',
  'new (class Dates extends Date {})()',
  'Object.create(Map.prototype)',
  'new Proxy(new Set(), {})',
  'new (class Session {})()',
  'new WeakMap()',
])('not %s', (source) => {
  expect(() => codec.encode(foreign(source))).toThrow('something that can be stored');
});
