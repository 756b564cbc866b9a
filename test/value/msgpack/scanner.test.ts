import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createValueCodec } from '../../../src/value/codec.js';
import { MsgpackScanner } from '../../../src/value/msgpack/scanner.js';

const codec = createValueCodec();
const scan = (hex: string) => new MsgpackScanner(Buffer.from(hex, 'hex'));

it('passes over any value and never reads beyond the end, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: false }), (value) => {
      const bytes = Buffer.from(codec.encode(value));
      const scanner = new MsgpackScanner(Buffer.concat([bytes, Buffer.of(0xc0)]));
      scanner.skip();
      expect(scanner.position).toBe(bytes.length);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(5), (bytes, way) => {
      const scanner = new MsgpackScanner(Buffer.from(bytes));
      const ways = [
        () => scanner.skip(),
        () => scanner.stringOrSkip(),
        () => scanner.numberOrNull(),
        () => scanner.scalarOrSkip(),
        () => scanner.mapLength(),
        () => scanner.arrayLength(),
      ];
      try {
        while (!scanner.atEnd) ways[way]!();
        expect(scanner.position).toBe(bytes.length);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_UNREADABLE_VALUE' });
      }
    }),
    { numRuns: 2_000 },
  );
});

it('reads strings and numbers as the reader of values does', () => {
  const scalar = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 30, maxLength: 300 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.integer({ min: -300, max: 70_000 }),
  );
  fc.assert(
    fc.property(fc.array(scalar), fc.nat(40), (values, start) => {
      // Somewhere within a larger buffer.
      const bytes = Buffer.concat([Buffer.alloc(start, 0xc1), codec.encode(values)]).subarray(start);
      const scanner = new MsgpackScanner(bytes);
      expect(scanner.arrayLength()).toBe(values.length);
      for (const value of values) {
        expect(typeof value === 'string' ? scanner.stringOrSkip() : scanner.numberOrNull()).toBe(value);
      }
      expect(scanner.atEnd).toBe(true);
    }),
  );
});

it.each([
  ['cfffffffffffffffff', 2 ** 64],
  ['d38000000000000000', -(2 ** 63)],
  ['ca3fc00000', 1.5],
  ['d0ff', -1],
  ['c0', null],
])('reads the number %s', (hex, expected) => {
  expect(scan(hex).numberOrNull()).toBe(expected);
});

it('passes over what is not asked for', () => {
  const scanner = scan(`93c0${'a161'}${'ca7fc00000'}${'c3'}`);
  expect(scanner.stringOrSkip()).toBeUndefined();
  expect(scanner.takeNil()).toBe(false);
  expect(scanner.scalarOrSkip()).toBe(true);
  expect(scanner.atEnd).toBe(true);
  expect(scan('ca7fc00000').scalarOrSkip()).toBeUndefined();
});

it.each([
  ['a map', 'c0', (scanner: MsgpackScanner) => scanner.mapLength()],
  ['an array', '80', (scanner: MsgpackScanner) => scanner.arrayLength()],
  ['a finite number', 'cb7ff0000000000000', (scanner: MsgpackScanner) => scanner.numberOrNull()],
  ['a finite number', 'a161', (scanner: MsgpackScanner) => scanner.numberOrNull()],
])('tells that it expected %s', (what, hex, read) => {
  expect(() => read(scan(hex))).toThrow(`malformed msgpack: expected ${what}`);
});

it('bounds nesting, counts and values', () => {
  expect(() => new MsgpackScanner(Buffer.alloc(100_000, 0x91)).skip()).toThrow('nesting');
  expect(() => scan('ddffffffff').skip()).toThrow('count');
  const bounded = new MsgpackScanner(Buffer.from('93c0c0c093c0c0c093c0c0c0', 'hex'), 0, 7);
  bounded.skip();
  bounded.skip();
  expect(() => bounded.skip()).toThrow('over 7 values');
  bounded.position = 0;
  bounded.startEntry();
  bounded.skip();
});
