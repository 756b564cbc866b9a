import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatJson, parseJson } from '../../src/cli/lossless-json.js';

describe('parsing', () => {
  test.each<[string, unknown]>([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['1152921504606846976', 2 ** 60],
    ['10000000000000000000000', 1e22],
    ['1152921504606846977', 1152921504606846977n],
    ['-9007199254740993', -9007199254740993n],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
    ['0.1234567890123456789', 0.12345678901234568],
    ['12345678901234567890.5', 12345678901234567000],
    ['1e400', Number.POSITIVE_INFINITY],
    ['-0', 0],
    ['-0.0', -0],
    ['[-0,12345678901234567]', [0, 12345678901234567n]],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toStrictEqual(value);
  });

  test('of equal keys the last one counts, whether or not the text has long numbers', () => {
    expect(parseJson('{"a":1,"a":2}')).toEqual({ a: 2 });
    expect(parseJson('{"a":1,"a":2,"b":1234567890123456789}')).toEqual({ a: 2, b: 1234567890123456789n });
  });

  test('the lossless road agrees with JSON.parse but for long integers', () => {
    // The long number sends the text down the lossless road.
    fc.assert(
      fc.property(fc.json(), (json) => {
        const [value] = parseJson(`[${json},1234567890123456789]`) as unknown[];
        expect(value).toEqual(losslessly(JSON.parse(json)));
      }),
      { numRuns: 2000 },
    );
  });
});

test('what was parsed is written with all its digits', () => {
  const text = '{"id":12345678901234567890,"list":[1,2.5,"x",null,true]}';
  expect(formatJson(parseJson(text))).toBe(text);
});

test('a number beyond 2^53 is written with the digits that it holds', () => {
  expect(formatJson([2 ** 60, -(2 ** 53), 1e20, 1e21])).toBe(
    '[1152921504606846976,-9007199254740992,100000000000000000000,1e+21]',
  );
});

test('a number is read back as a number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(parseJson(formatJson(value))).toBe(value === 0 ? 0 : value);
    }),
  );
});

/** What the lossless road makes of numbers: integers that no number holds are BigInts, and there is no integer -0. */
function losslessly(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, part: unknown) => {
    if (part === 0) return 0;
    if (!Number.isInteger(part) || Number.isSafeInteger(part)) return part;
    const digits = String(part);
    return /^-?\d+$/.test(digits) && BigInt(digits) !== BigInt(Number(part)) ? BigInt(digits) : part;
  });
}
