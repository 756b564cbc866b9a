import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheError } from '../../src/errors.js';
import { createValueCodec } from '../../src/value/codec.js';
import { inForm } from '../helper/form.js';
import { nested, storableValues } from './value-table.js';

const codec = createValueCodec();

const sources = storableValues
  .map(([, value]) => codec.encode(value))
  .filter((encoded) => encoded.length < 5_000);

/** Decodes bytes that may mean anything, or nothing. Fails unless the outcome is a value or a typed error. */
function decodeAnyhow(bytes: Uint8Array): void {
  try {
    codec.decode(bytes);
  } catch (error) {
    if (error instanceof CacheError && error.code === 'ERR_UNREADABLE_VALUE') return;
    throw error;
  }
}

function expectUnreadable(bytes: readonly number[] | Uint8Array, message: RegExp): void {
  expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE', message: expect.stringMatching(message) }),
  );
}

describe('bytes that are no stored value', () => {
  it('are refused when cut off anywhere', () => {
    for (const encoded of sources) {
      for (let length = 0; length < encoded.length; length += 1) {
        expectUnreadable(encoded.subarray(0, length), /./);
      }
    }
  });

  it('are refused when anything follows the value', () => {
    for (const encoded of sources) expectUnreadable([...encoded, 0xc0], /./);
  });

  it.each([
    ['nothing', [], /got none/],
    ['an ext type of others', [0xd4, 5, 0], /type 5/],
    ['an ext type of others inside', [0x91, 0xd4, 5, 0], /./],
    ['a negative ext type of others', [0xc7, 1, 0x9c, 0], /type -100/],
    ['a later version', [0xc7, 2, 84, 9, 0xc0], /version 9/],
    ['an empty ext value', [0xc7, 0, 84], /version/],
    ['an unknown tag', [0xc7, 3, 84, 1, 0x91, 99], /./],
    ['an array without a tag', [0xc7, 2, 84, 1, 0x90], /./],
    ['a reference to nothing', [0xc7, 4, 84, 1, 0x92, 7, 1], /./],
    ['a rich value in a plain one', [0x91, ...codec.encode(new Date(0))], /./],
    ['an array said to be huge', [0xdd, 0xff, 0xff, 0xff, 0xff], /./],
    ['a map said to be huge', [0xdf, 0xff, 0xff, 0xff, 0xff], /./],
    ['a string said to be huge', [0xdb, 0xff, 0xff, 0xff, 0xff], /./],
    ['bytes as map keys', [0x81, 0xc4, 1, 0x61, 0xc0], /./],
  ])('%s', (_name, bytes, message) => {
    expectUnreadable(bytes, message);
  });

  it('are refused when nested a million levels deep, and the next value is read all the same', () => {
    const deep = new Uint8Array(1_000_000).fill(0x91);

    expect(() => codec.decode(deep)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNREADABLE_VALUE',
        cause: expect.objectContaining({ message: expect.stringMatching(/levels of nesting/) }),
      }),
    );
    expectUnreadable([0xc9, 0, 0x0f, 0x42, 0x40, 84, 1, ...new Uint8Array(999_999).fill(0x91)], /./);

    expect(codec.decode(codec.encode({ a: 1 }))).toEqual({ a: 1 });
  });

  it('are read or refused when the call stack is nearly full, and the next value is read all the same', () => {
    const deep = codec.encode(nested(200));
    const outcomes = new Set<string>();
    const descend = (): void => {
      try {
        descend();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      try {
        codec.decode(deep);
        outcomes.add('value');
      } catch (error) {
        if (error instanceof CacheError) outcomes.add(error.code);
        else if (!(error instanceof RangeError)) throw error;
      }
    };

    descend();

    expect([...outcomes]).toContain('value');
    expect(codec.decode(codec.encode({ a: 1 }))).toEqual({ a: 1 });
  });

  it('give a value or a typed error under any mutation', () => {
    const mutation = fc.record({
      source: fc.constantFrom(...sources),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(mutation, ({ source, changes }) => {
        const bytes = Uint8Array.from(source);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        decodeAnyhow(bytes);
      }),
      { numRuns: inForm({ short: 3_000, long: 20_000 }) },
    );
  });

  it('give a value or a typed error when they are random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, rich) => {
        decodeAnyhow(rich ? Uint8Array.from([0xc7, bytes.length + 1, 84, 1, ...bytes]) : bytes);
      }),
      { numRuns: inForm({ short: 3_000, long: 20_000 }) },
    );
  });

  it('leave the reader as it was', () => {
    for (const encoded of sources) decodeAnyhow(encoded.map((byte) => byte ^ 0x40));

    for (const [, value] of storableValues.slice(0, 20)) {
      expect(codec.decode(codec.encode(value))).toEqual(value);
    }
  });
});
