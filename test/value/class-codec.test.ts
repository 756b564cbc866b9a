import { describe, expect, it } from 'vitest';
import { type ClassCodec, createValueCodec } from '../../src/value/codec.js';

class Money {
  readonly amount: bigint;
  readonly note: unknown;

  constructor(amount: bigint, note?: unknown) {
    this.amount = amount;
    this.note = note;
  }
}

const money: ClassCodec<Money> = {
  tag: 'money',
  test: (value): value is Money => value instanceof Money,
  encode: ({ amount, note }) => ({ amount, note }),
  decode: (data) => {
    const { amount, note } = data as Money;
    return new Money(amount, note);
  },
};

const codec = createValueCodec([money]);

describe('a class codec', () => {
  it('stores instances anywhere in a value', () => {
    const value = { rows: [new Map([[new Money(1n), new Set([new Money(2n, { a: undefined })])]])] };

    expect(codec.decode(codec.encode(value))).toEqual(value);
  });

  it('stores instances inside instances', () => {
    const value = new Money(1n, [new Money(2n, new Money(3n))]);

    expect(codec.decode(codec.encode(value))).toEqual(value);
  });

  it('keeps shared instances shared', () => {
    const price = new Money(1n);

    const decoded = codec.decode(codec.encode([price, { again: price }])) as [Money, { again: Money }];

    expect(decoded[0]).toBeInstanceOf(Money);
    expect(decoded[1].again).toBe(decoded[0]);
  });

  it('keeps sharing between an instance and what is around it', () => {
    const note = { text: 'n' };

    const decoded = codec.decode(codec.encode([new Money(1n, note), note])) as [Money, object];

    expect(decoded[0].note).toBe(decoded[1]);
  });

  it('stores functions and symbols too, if it says so', () => {
    const square = (n: number) => n * n;
    const known = createValueCodec([
      {
        tag: 'function',
        test: (value): value is typeof square => value === square,
        encode: () => 'square',
        decode: () => square,
      },
    ]);

    expect(known.decode(known.encode({ map: square }))).toEqual({ map: square });
  });

  it('is asked in order, and only for what could not be stored otherwise', () => {
    const asked: unknown[] = [];
    const curious = createValueCodec([
      { ...money, tag: 'first', test: (value): value is Money => asked.push(value) > 1_000 },
      money,
    ] as ClassCodec[]);
    const price = new Money(1n);

    curious.encode([{ a: new Date(0) }, price]);

    expect(asked).toEqual([price]);
  });

  it('can not store an instance that contains itself', () => {
    const loop = new Money(1n, [] as unknown[]);
    (loop.note as unknown[]).push(loop);

    expect(() => codec.encode({ loop })).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSTORABLE_VALUE',
        path: 'value.loop<money data>.note[0]',
        message: expect.stringMatching(/contains itself/),
      }),
    );
  });

  it('that returns what can not be stored is refused with the path', () => {
    expect(() => codec.encode([new Money(1n, { log() {} })])).toThrow(
      expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', path: 'value[0]<money data>.note.log' }),
    );
  });

  it('that returns ever new instances is refused', () => {
    const endless = createValueCodec([{ ...money, encode: () => new Money(1n) } as ClassCodec]);

    expect(() => endless.encode(new Money(1n))).toThrow(/1000 levels/);
  });

  it.each(['test', 'encode'] as const)(
    'whose `%s` throws makes the value unstorable, with the cause',
    (method) => {
      const cause = new Error('broken codec');
      const broken = createValueCodec([
        {
          ...money,
          [method]: () => {
            throw cause;
          },
        } as ClassCodec,
      ]);

      expect(() => broken.encode({ a: new Money(1n) })).toThrow(
        expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', path: 'value.a', cause }),
      );
    },
  );

  it('whose `decode` throws makes the bytes unreadable, with the cause', () => {
    const cause = new RangeError('broken codec');
    const broken = createValueCodec([
      {
        ...money,
        decode: () => {
          throw cause;
        },
      } as ClassCodec,
    ]);

    expect(() => broken.decode(codec.encode(new Money(1n)))).toThrow(
      expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE', cause }),
    );
  });

  it('that is missing at decoding is named', () => {
    expect(() => createValueCodec().decode(codec.encode(new Money(1n)))).toThrow(
      expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE', message: expect.stringMatching(/`money`/) }),
    );
  });
});

describe('wrong codecs are told at once', () => {
  it.each([
    ['no array', {}, /`codecs` to be an array/],
    ['no object', [null], /`codecs\[0\]`/],
    ['an empty tag', [{ ...money, tag: '' }], /`codecs\[0\]\.tag`/],
    ['a tag with a lone surrogate', [{ ...money, tag: '\ud800' }], /`codecs\[0\]\.tag`/],
    ['a missing method', [money, { ...money, tag: 'b', decode: undefined }], /`codecs\[1\]\.decode`/],
    ['a tag twice', [money, money], /`money` twice/],
  ])('%s', (_name, codecs, message) => {
    expect(() => createValueCodec(codecs as unknown as ClassCodec[])).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringMatching(message) }),
    );
  });
});
