import { describe, expect, test } from 'vitest';
import { byteSize, nonNegative, oneOf, wholeNumber } from '../../src/cli/option-value.js';
import { UsageError } from '../../src/cli/usage-error.js';

describe('sizes in bytes', () => {
  test.each([
    ['1', 1],
    ['1k', 1024],
    ['1 KiB', 1024],
    ['64MiB', 64 * 2 ** 20],
    ['1.5mb', 1.5 * 2 ** 20],
    ['2G', 2 * 2 ** 30],
    ['512B', 512],
  ])('%s', (text, bytes) => {
    expect(byteSize('--max-bytes')(text)).toBe(bytes);
  });

  test.each(['0', '-1', '', 'k', '1e9', '1 TiB', '0.1', '9'.repeat(20), '0x10', '1kk'])('not %j', (text) => {
    expect(() => byteSize('--max-bytes')(text)).toThrow(UsageError);
    expect(() => byteSize('--max-bytes')(text)).toThrow(
      `--max-bytes to be a size of at least one byte, such as 64MiB, got \`${text}\``,
    );
  });
});

test.each(['1', '10', '007'])('%s is a whole number from 1 to 10', (text) => {
  expect(wholeNumber('--n', 1, 10)(text)).toBe(Number(text));
});

test.each(['0', '11', '-1', '1.5', '1e1', '', ' 1', 'one', 'NaN'])(
  '%j is no whole number from 1 to 10',
  (text) => {
    expect(() => wholeNumber('--n', 1, 10)(text)).toThrow(
      `Expected --n to be a whole number from 1 to 10, got \`${text}\``,
    );
  },
);

test.each(['0', '1', '0.001', '.5', '1e-3'])('%s is a number from 0 on', (text) => {
  expect(nonNegative('--x')(text)).toBe(Number(text));
});

test.each(['-1', '', 'x', 'Infinity', '1e999', '.'])('%j is no number from 0 on', (text) => {
  expect(() => nonNegative('--x')(text)).toThrow('Expected --x to be a number from 0 on');
});

test('one of a few words, and nothing else', () => {
  expect(oneOf('--p', ['lru', 'lfu'])('lfu')).toBe('lfu');
  expect(() => oneOf('--p', ['lru', 'lfu'])('LRU')).toThrow('Expected --p to be lru, lfu, got `LRU`');
});
