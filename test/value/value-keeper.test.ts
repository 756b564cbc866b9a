import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/value-codec.js';
import { copyingKeeper, referenceKeeper } from '../../src/value/value-keeper.js';
import { isSameValue } from './same-value.js';
import { refusedValues, storableValues } from './value-table.js';

const codec = createValueCodec();
const keepers = { copying: copyingKeeper(codec), reference: referenceKeeper(codec) };

describe.each(Object.entries(keepers))('a %s keeper', (_mode, keeper) => {
  it.each(storableValues)('keeps, gives, encodes and adopts %s', (_name, value) => {
    const { kept, bytes } = keeper.keep(value);
    const adopted = keeper.adopt(keeper.encode(kept));

    expect(isSameValue(value, keeper.give(kept))).toBe(true);
    expect(isSameValue(value, keeper.give(adopted.kept))).toBe(true);
    expect(bytes).toBeGreaterThan(0);
    expect(Number.isSafeInteger(bytes)).toBe(true);
  });

  it.each(refusedValues)('refuses %s', (_name, value, path) => {
    expect(() => keeper.keep(value)).toThrow(expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', path }));
  });

  it('refuses to adopt damaged bytes', () => {
    const whole = keeper.encode(keeper.keep({ a: 'text' }).kept);

    expect(() => keeper.adopt(whole.subarray(0, -1))).toThrow(
      expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE' }),
    );
  });

  it('counts more bytes for larger values', () => {
    const bytes = (value: unknown) => keeper.keep(value).bytes;

    for (const sized of [
      (n: number) => 'x'.repeat(n),
      (n: number) => ({ text: 'x'.repeat(n) }),
      (n: number) => Buffer.alloc(n),
    ]) {
      expect(bytes(sized(10_000)) - bytes(sized(1_000))).toBe(9_000);
    }
  });
});

describe('a copying keeper', () => {
  const keeper = keepers.copying;

  it('is not touched by what its callers do to values before and after', () => {
    const original = { rows: [{ id: 1 }] };
    const { kept } = keeper.keep(original);
    original.rows[0]!.id = 2;
    const given = keeper.give(kept) as typeof original;
    given.rows[0]!.id = 3;

    expect(keeper.give(kept)).toEqual({ rows: [{ id: 1 }] });
  });

  it('adopts bytes without keeping the memory that they were cut from', () => {
    const member = Buffer.alloc(100_000);
    const encoded = codec.encode({ a: 1 });
    member.set(encoded, 500);

    const { kept } = keeper.adopt(member.subarray(500, 500 + encoded.length));
    member.fill(0);

    expect(keeper.give(kept)).toEqual({ a: 1 });
    expect((kept as Uint8Array).buffer.byteLength).toBe(encoded.length);
  });
});

describe('a reference keeper', () => {
  it('gives every caller the same object', () => {
    const value = { a: 1 };
    const { kept } = keepers.reference.keep(value);

    expect(keepers.reference.give(kept)).toBe(value);
  });
});
