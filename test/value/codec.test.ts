import { Packr } from 'msgpackr';
import { describe, expect, it, vi } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { isSameValue } from './same-value.js';
import { foreignValue, nested, refusedValues, storableValues } from './value-table.js';

const codec = createValueCodec();
const richFirstByte = 0xc9;

describe('a value that can be stored comes back as it was', () => {
  it.each(storableValues)('%s', (_name, value, form) => {
    const encoded = codec.encode(value);

    expect(isSameValue(value, codec.decode(encoded))).toBe(true);
    expect(encoded[0] === richFirstByte ? 'rich' : 'plain').toBe(form);
  });

  it('plain objects of another realm, as plain objects of this one', () => {
    expect(isSameValue({ rows: [{ a: 1 }, []] }, codec.decode(codec.encode(foreignValue())))).toBe(true);
  });

  it('an error of the runtime, with its code', () => {
    let thrown: unknown;
    try {
      new URL('no url');
    } catch (error) {
      thrown = error;
    }

    const decoded = codec.decode(codec.encode(thrown));

    expect(decoded).toBeInstanceOf(TypeError);
    expect(decoded).toMatchObject({ message: 'Invalid URL', code: 'ERR_INVALID_URL', input: 'no url' });
  });
});

describe('a value that can not be stored is refused, with the path to the reason', () => {
  it.each(refusedValues)('%s', (_name, value, path, what) => {
    expect(() => codec.encode(value)).toThrow(
      expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', path, message: expect.stringMatching(what) }),
    );
  });

  it('more than 1,000 levels', () => {
    expect(() => codec.encode(nested(1001))).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSTORABLE_VALUE',
        message: expect.stringMatching(/1000 levels/),
      }),
    );
  });

  it('100,000 levels, without running out of stack', () => {
    expect(() => codec.encode(nested(100_000))).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSTORABLE_VALUE',
        message: expect.stringMatching(/1000 levels/),
      }),
    );
  });

  it('more than 1 GiB', () => {
    const huge = { page: Buffer.allocUnsafeSlow(2 ** 30) };

    expect(() => codec.encode(huge)).toThrow(
      expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', message: expect.stringMatching(/1 GiB/) }),
    );
  });

  it('anything, when the call stack is nearly full, and still encodes afterwards', () => {
    const fail = (): unknown => {
      try {
        return fail();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        codec.encode(nested(900));
        return undefined;
      }
    };

    expect(fail).toThrow(expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE' }));
    expect(codec.decode(codec.encode({ a: 1 }))).toEqual({ a: 1 });
  });
});

describe('encoded values', () => {
  it('write integers to ±2^53 as msgpack integers and anything else as float64', () => {
    const firstByte = (value: number) => codec.encode(value)[0];

    expect(firstByte(2 ** 32)).toBe(0xcf);
    expect(firstByte(2 ** 53)).toBe(0xcf);
    expect(firstByte(-(2 ** 53))).toBe(0xd3);
    expect(firstByte(2 ** 54)).toBe(0xcb);
    expect(firstByte(0.5)).toBe(0xcb);
    expect(firstByte(-0)).toBe(0xcb);
  });

  it('are equal bytes for equal values, whatever was encoded before', () => {
    const value = { at: new Date(5), rows: [{ id: 1 }, { id: 2 }] };
    const first = createValueCodec().encode(value);
    codec.encode(new Map([[{}, 'x'.repeat(1e5)]]));

    expect(codec.encode(value)).toEqual(first);
  });

  it('survive a class codec that encodes other values meanwhile', () => {
    const inner = createValueCodec([
      {
        tag: 'nested',
        test: (value): value is Nested => value instanceof Nested,
        encode: () => [...inner.encode({ a: 'inner' })],
        decode: (data) => new Nested(inner.decode(Uint8Array.from(data as number[]))),
      },
    ]);
    class Nested {
      readonly held: unknown;
      constructor(held?: unknown) {
        this.held = held;
      }
    }

    inner.encode('once, so that there is a buffer to reuse');
    const decoded = inner.decode(inner.encode({ before: 1, it: new Nested(), after: 2 }));

    expect(decoded).toEqual({ before: 1, it: new Nested({ a: 'inner' }), after: 2 });
  });
});

describe('the keys of an object', () => {
  it('are listed once to check them and once to write them', () => {
    const object = { one: 1, two: 2 };
    const lists = [
      vi.spyOn(Object, 'keys'),
      vi.spyOn(Object, 'getOwnPropertyNames'),
      vi.spyOn(Reflect, 'ownKeys'),
    ];
    try {
      codec.encode(object);
      const listed = lists.flatMap(({ mock }) => mock.calls.filter(([given]) => given === object));
      expect(listed).toHaveLength(2);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

describe('a large plain value', () => {
  const object = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`key${index}`, index]));

  it.each([
    ['an object', object],
    ['an object among others', { small: [1, { a: null }], object, last: true }],
    ['records', Array.from({ length: 20_000 }, (_, id) => ({ id, ok: true, none: null }))],
  ])('has the bytes that msgpackr gives it: %s', (_name, value) => {
    const packr = new Packr({ useRecords: false, variableMapSize: true });
    expect(Buffer.compare(codec.encode(value), packr.pack(value))).toBe(0);
  });

  it('has the keys of its largest object listed once', () => {
    const list = vi.spyOn(Object, 'getOwnPropertyNames');
    try {
      codec.encode({ object });
      expect(list.mock.calls.filter(([given]) => given === object)).toHaveLength(1);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

describe('msgpackr', () => {
  it('may be missing, as in a bundle: the bytes are the same', async () => {
    const value = { text: 'otters', list: [1, -1, 2 ** 31, 0.5, null, true], nested: { '': [] } };
    const expected = codec.encode(value);
    const asked: string[] = [];
    vi.resetModules();
    vi.doMock('node:module', () => ({
      createRequire: () => (name: string) => {
        asked.push(name);
        throw new Error('Cannot find module');
      },
    }));
    try {
      const alone = (await import('../../src/value/codec.js')).createValueCodec();
      expect(alone.encode(value)).toEqual(expected);
      expect(alone.encode(value)).toEqual(expected);
      expect(asked).toEqual(['msgpackr/index-no-eval']);
    } finally {
      vi.doUnmock('node:module');
      vi.resetModules();
    }
  });
});
