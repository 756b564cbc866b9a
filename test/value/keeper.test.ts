import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper, referenceKeeper } from '../../src/value/keeper.js';
import type { SmallValue } from '../../src/value/small-value.js';
import { isSameValue } from './same-value.js';
import { refusedValues, storableValues } from './value-table.js';

const codec = createValueCodec();
const keepers = { copying: copyingKeeper(codec), reference: referenceKeeper(codec) };

describe.each(Object.entries(keepers))('a %s keeper', (_mode, keeper) => {
  it.each(storableValues)('encodes, decodes and accepts %s', async (_name, value) => {
    const { stored, bytes } = keeper.encode(value);
    const accepted = await keeper.accept(keeper.toMsgpack(stored));

    expect(isSameValue(value, keeper.decode(stored))).toBe(true);
    expect(isSameValue(value, keeper.decode(accepted.stored))).toBe(true);
    expect(bytes).toBeGreaterThan(0);
    expect(Number.isSafeInteger(bytes)).toBe(true);
  });

  it.each(refusedValues)('refuses %s', (_name, value, path) => {
    expect(() => keeper.encode(value)).toThrow(
      expect.objectContaining({ code: 'ERR_UNSTORABLE_VALUE', path }),
    );
  });

  it('refuses to accept damaged bytes', () => {
    const whole = keeper.toMsgpack(keeper.encode({ a: 'text' }).stored);

    expect(() => keeper.accept(whole.subarray(0, -1))).toThrow(
      expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE' }),
    );
  });

  it('counts more bytes for larger values', () => {
    const bytes = (value: unknown) => keeper.encode(value).bytes;

    for (const sized of [
      (n: number) => 'x'.repeat(n),
      (n: number) => ({ text: 'x'.repeat(n) }),
      (n: number) => Buffer.alloc(n),
    ]) {
      // What is held apart, or decoded when it is read often, takes some bytes more.
      expect(Math.abs(bytes(sized(10_000)) - bytes(sized(1_000)) - 9_000)).toBeLessThan(100);
    }
  });
});

describe('a copying keeper', () => {
  const keeper = keepers.copying;

  it('is not touched by what its callers do to values before and after', () => {
    const original = { rows: [{ id: 1 }] };
    const { stored } = keeper.encode(original);
    original.rows[0]!.id = 2;
    const given = keeper.decode(stored) as typeof original;
    given.rows[0]!.id = 3;

    expect(keeper.decode(stored)).toEqual({ rows: [{ id: 1 }] });
  });

  it('accepts bytes without keeping the memory that they were cut from', async () => {
    const member = Buffer.alloc(100_000);
    const encoded = codec.encode({ a: 1 });
    member.set(encoded, 500);

    const { stored } = await keeper.accept(member.subarray(500, 500 + encoded.length));
    member.fill(0);

    expect(keeper.decode(stored)).toEqual({ a: 1 });
    expect((stored as SmallValue).encoded.buffer.byteLength).toBe(encoded.length);
  });
});

describe('a reference keeper', () => {
  it('gives every caller the same object', () => {
    const value = { a: 1 };
    const { stored } = keepers.reference.encode(value);

    expect(keepers.reference.decode(stored)).toBe(value);
  });
});
