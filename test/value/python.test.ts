import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { runPython } from '../helper/python.js';
import { storableValues } from './value-table.js';

const codec = createValueCodec();
const modules = ['msgpack'];

/** A map of msgpack from ready-made values, as partition files are put together. */
function batchOf(values: readonly Uint8Array[]): Buffer {
  const parts = values.flatMap((encoded, index) => [codec.encode(`entry ${index}`), encoded]);
  return Buffer.concat([Buffer.from([0xde, values.length >> 8, values.length & 0xff]), ...parts]);
}

const describeBatch = `
import json, math, msgpack, sys
batch = msgpack.unpackb(sys.stdin.buffer.read(), strict_map_key=False)
def say(value):
    if isinstance(value, msgpack.ExtType):
        return ['rich', value.code]
    text = json.dumps(value, sort_keys=True, separators=(',', ':'))
    return ['plain', text if len(text) < 3000 else len(text)]
print(json.dumps([say(batch[f'entry {index}']) for index in range(len(batch))]))
`;

/** JSON as Python writes it, for a value of numbers, strings and the like. */
const pythonJson = `
import json, sys
text = lambda value: json.dumps(value, sort_keys=True, separators=(',', ':'))
said = [text(value) for value in json.load(sys.stdin)]
print(json.dumps([one if len(one) < 3000 else len(one) for one in said]))
`;

describe('Python', () => {
  it('reads every plain value and skips every rich one, in one batch', () => {
    const batch = batchOf(storableValues.map(([, value]) => codec.encode(value)));

    const said = JSON.parse(runPython(['-c', describeBatch], { modules, input: batch })) as [
      string,
      unknown,
    ][];

    expect(said.map(([form]) => form)).toEqual(storableValues.map(([, , form]) => form));
    for (const [form, code] of said) if (form === 'rich') expect(code).toBe(84);
  });

  it('reads plain values as what they are', () => {
    const values = storableValues
      .filter(([, value, form]) => form === 'plain' && !hasOnlyInJavaScript(value))
      .map(([, value]) => value);

    const said = JSON.parse(
      runPython(['-c', describeBatch], {
        modules,
        input: batchOf(values.map((value) => codec.encode(value))),
      }),
    ) as [string, unknown][];
    const expected = JSON.parse(
      runPython(['-c', pythonJson], { input: JSON.stringify(values) }),
    ) as unknown[];

    expect(said.map(([, text]) => text)).toEqual(expected);
  });

  it('reads integers as integers, and -0, NaN and the infinities as floats', () => {
    const code = 'import msgpack, sys; print(repr(msgpack.unpackb(sys.stdin.buffer.read())))';
    const input = codec.encode([
      1_795_000_000_000,
      2 ** 53,
      -(2 ** 53),
      2 ** 32,
      -0,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
    ]);

    expect(runPython(['-c', code], { modules, input }).trim()).toBe(
      '[1795000000000, 9007199254740992, -9007199254740992, 4294967296, -0.0, nan, -inf]',
    );
  });

  it('writes values that are read here', () => {
    const code = `
import msgpack, sys
sys.stdout.write(msgpack.packb({
  'text': 'naïve 💥', 'big': 2**53, 'huge': 2**64 - 1, 'negative': -2**63, 'float': 0.1,
  'bytes': b'\\x01\\x02', 'none': None, 'list': list(range(100)), 1: 'one', '__proto__': {'a': [1]},
}).hex())
sys.stdout.write(' ' + msgpack.packb([0.5, -0.25], use_single_float=True).hex())
sys.stdout.write(' ' + msgpack.packb({'at': msgpack.Timestamp(1795000000, 5000000)}).hex())
sys.stdout.write(' ' + msgpack.packb({'legacy': b'raw'}, use_bin_type=False).hex())
`;

    const [various, floats, time, legacy] = runPython(['-c', code], { modules })
      .split(' ')
      .map((hex) => codec.decode(Uint8Array.from(Buffer.from(hex, 'hex'))));

    const expected = Object.defineProperty(
      {
        text: 'naïve 💥',
        big: 2 ** 53,
        huge: 2n ** 64n - 1n,
        negative: -(2n ** 63n),
        float: 0.1,
        bytes: Buffer.from([1, 2]),
        none: null,
        list: Array.from({ length: 100 }, (_, index) => index),
        1: 'one',
      },
      '__proto__',
      { value: { a: [1] }, enumerable: true },
    );
    expect(various).toEqual(expected);
    expect(Object.hasOwn(various as object, '__proto__')).toBe(true);
    expect(floats).toEqual([0.5, -0.25]);
    expect(time).toEqual({ at: new Date(1_795_000_000_005) });
    expect(legacy).toEqual({ legacy: 'raw' });
  });
});

/** Numbers that JSON can't carry to Python, to compare with. */
function hasOnlyInJavaScript(value: unknown): boolean {
  if (typeof value === 'number')
    return !Number.isFinite(value) || Object.is(value, -0) || Math.abs(value) > 2 ** 53;
  return Array.isArray(value) && value.some(hasOnlyInJavaScript);
}
