import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatShare, printable, shorten } from '../../src/report/format.js';

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [999.5, '1.0 s'],
  [59_949, '59.9 s'],
  [59_950, '1 m 00 s'],
  [245_000, '4 m 05 s'],
  [3_599_600, '1 h 00 m'],
  [12_000_000, '3 h 20 m'],
  [7_200_000_000, '2,000 h 00 m'],
])('%d ms reads %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [0, 0, '0 %'],
  [0, 5, '0 %'],
  [1, 100_000, '0.1 %'],
  [1, 3, '33.3 %'],
  [99_999, 100_000, '99.9 %'],
  [5, 5, '100 %'],
])('%d of %d is %s', (part, whole, text) => {
  expect(formatShare(part, whole)).toBe(text);
});

test.each([
  [0, '0 B'],
  [640, '640 B'],
  [1024, '1 KiB'],
  [1_258_291, '1.2 MiB'],
  [256 * 2 ** 20, '256 MiB'],
  [3 * 2 ** 50, '3072 TiB'],
])('%d bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('what is too long ends in an ellipsis and keeps to its width', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdefg', 6)).toBe('abcde…');
  expect(shorten('abcdefg', -5)).toBe('…');
});

test('a trace can not steer the terminal', () => {
  expect(printable('a\u{1b}[31mb\u{9b}2Jc\u{202e}d\ne')).toBe('a\u{fffd}[31mb\u{fffd}2Jc\u{fffd}d\u{fffd}e');
});
