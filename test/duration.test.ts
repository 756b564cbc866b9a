import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Duration, parseDuration } from '../src/duration.js';

describe('parseDuration', () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1500, 1500],
    ['250ms', 250],
    ['0s', 0],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1d12h', 129_600_000],
    ['1h2m3s', 3_723_000],
    ['2m5s', 125_000],
    ['1s5ms', 1005],
  ])('reads %o as %d ms', (value, ms) => {
    expect(parseDuration(value, 'ttl')).toBe(ms);
  });

  it('rounds to whole milliseconds, but never a duration down to none', () => {
    expect(parseDuration(10.6, 'ttl')).toBe(11);
    expect(parseDuration(0.001, 'ttl')).toBe(1);
    expect(Object.is(parseDuration(-0, 'ttl'), 0)).toBe(true);
  });

  it.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    '',
    ' ',
    '5',
    '5 m',
    '-5m',
    '5M',
    '5min',
    '1y',
    '30m1h',
    '1h1h',
    '5ms1s',
    '.5s',
    '5.s',
    '1e3s',
    '5m\n',
    '٣m',
    '99999999999d',
    null,
    undefined,
    true,
    10n,
    {},
    ['5m'],
  ])('refuses %o, naming the option, the value and the fix', (value) => {
    const parse = () => parseDuration(value as Duration, 'methods.search.ttl');
    expect(parse).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
    expect(parse).toThrow(/Expected `methods\.search\.ttl` to be a duration .*'1h30m'.*, got `.+`/s);
  });

  it('adds up any units given largest first', () => {
    const part = fc.option(fc.nat(500), { nil: undefined });
    fc.assert(
      fc.property(fc.tuple(part, part, part, part, part), (amounts) => {
        const factors = [86_400_000, 3_600_000, 60_000, 1000, 1];
        const names = ['d', 'h', 'm', 's', 'ms'];
        const text = amounts.map((n, i) => (n === undefined ? '' : `${n}${names[i]}`)).join('');
        fc.pre(text !== '');
        const sum = amounts.reduce<number>((total, n, i) => total + (n ?? 0) * factors[i]!, 0);
        expect(parseDuration(text as Duration, 'ttl')).toBe(sum);
      }),
    );
  });

  it('leaves wrong text to the compiler where it can', () => {
    // @ts-expect-error no unit
    const bare: Duration = '5';
    // @ts-expect-error unknown unit
    const unknown: Duration = '5 minutes';
    // @ts-expect-error smaller unit first
    const reversed: Duration = '30m1h';
    for (const value of [bare, unknown, reversed]) expect(() => parseDuration(value, 'ttl')).toThrow();
  });
});
