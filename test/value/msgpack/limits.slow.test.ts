import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../../src/value/codec.js';
import { maxElements } from '../../../src/value/msgpack/limits.js';

const codec = createValueCodec();
const refusal = expect.objectContaining({
  code: 'ERR_UNSTORABLE_VALUE',
  message: expect.stringMatching(/at most 1048576 elements .* got 104857\d or more/),
});
const list = (length: number, item: unknown = 0) => new Array(length).fill(item);

describe('the bound on the elements of a value', () => {
  it.each<[string, (over: number) => unknown]>([
    ['plain', (over) => list(maxElements + over)],
    ['nested', (over) => ({ rows: list(maxElements - 3 + over), a: 1, b: 2 })],
    ['rich', (over) => new Set(list(maxElements - 1 + over).map((_, index) => index))],
  ])('is met exactly by a %s value, and not exceeded', (_form, build) => {
    expect(codec.decode(codec.encode(build(0)))).toEqual(build(0));
    expect(() => codec.encode(build(1))).toThrow(refusal);
    expect(() => codec.measure(build(1))).toThrow(refusal);
  });

  it('does not concern holes, bytes or text', () => {
    const value = [new Array(5_000_000), new Float64Array(2_000_000), 'x'.repeat(2_000_000)];
    const decoded = codec.decode(codec.encode(value)) as unknown[][];
    expect(decoded.map((part) => part.length)).toEqual([5_000_000, 2_000_000, 2_000_000]);
  });

  it.each([0xdd, 0xdf])('refuses claims of more, head %i, before they are read', (type) => {
    const bytes = Buffer.alloc(5 + 2 * (maxElements + 1), 0xc1);
    bytes[0] = type;
    bytes.writeUInt32BE(maxElements + 1, 1);
    expect(() => codec.decode(bytes)).toThrow(
      expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE', message: expect.stringContaining('1048576') }),
    );
  });
});
