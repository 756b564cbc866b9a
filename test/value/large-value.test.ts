import { describe, expect, it, vi } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper, referenceKeeper } from '../../src/value/keeper.js';
import { LargeValue } from '../../src/value/large-value.js';
import { isCollected } from '../helper/garbage.js';

const codec = createValueCodec();
const keeper = copyingKeeper(codec);
const rows = () => Array.from({ length: 20_000 }, (_, id) => ({ id, name: `name ${id}` }));

/** A source that counts how it is read. */
function makeBulky(value: object = { a: 1 }) {
  const source = {
    decode: vi.fn(() => structuredClone(value)),
    decodeInSlices: vi.fn(async (check: () => void) => {
      check();
      return structuredClone(value);
    }),
    encoded: () => new Uint8Array(),
  };
  return { bulky: new LargeValue(source), source };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('a large value', () => {
  it.each([
    ['plain', rows()],
    ['with long texts', { text: 'long '.repeat(1000), rows: rows() }],
    ['rich', { at: new Date(5), rows: rows() }],
  ])('that is %s is held so that it can be decoded in slices, and comes back whole', async (_kind, value) => {
    const { stored } = keeper.encode(value);
    expect(stored).toBeInstanceOf(LargeValue);
    await (stored as LargeValue).prepare();
    expect((stored as LargeValue).isReady).toBe(true);
    expect(keeper.decode(stored)).toEqual(value);
    expect((stored as LargeValue).isReady).toBe(false);
    expect(keeper.decode(stored)).toEqual(value);
    expect(Buffer.compare(keeper.toMsgpack(stored), codec.encode(value))).toBe(0);
    const accepted = await keeper.accept(keeper.toMsgpack(stored));
    expect(accepted.stored).toBeInstanceOf(LargeValue);
    expect(keeper.decode(accepted.stored, accepted.decoded)).toEqual(value);
    expect(keeper.decode(accepted.stored, accepted.decoded)).toEqual(value);
  });

  it.each([
    ['a small one', { rows: rows().slice(0, 100) }],
    ['a long text', 'x'.repeat(1_000_000)],
    ['a small one with a long text', { text: 'x'.repeat(1_000_000) }],
  ])('is not %s', (_kind, value) => {
    expect(keeper.encode(value).stored).not.toBeInstanceOf(LargeValue);
  });

  it('is refused from slower tiers where it is damaged', async () => {
    const whole = codec.encode(rows());
    for (const each of [keeper, referenceKeeper(codec)]) {
      await expect(async () => each.accept(whole.subarray(0, -1))).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_UNREADABLE_VALUE' }),
      );
    }
  });

  it('is measured as it would be by itself where references are kept', async () => {
    const value = { at: new Date(5), map: new Map([[1, new Set(['a'])]]), rows: rows() };
    codec.measure(value);
    const { bytes, stored } = await referenceKeeper(codec).accept(codec.encode(value));
    expect(stored).toEqual(value);
    expect(bytes).toBe(codec.measure(value));
  });
});

describe('copies that are decoded in slices', () => {
  it('are one for each who waits, and nobody else has them', async () => {
    const { bulky, source } = makeBulky();
    const waits = Array.from({ length: 3 }, () => bulky.prepare().then(() => bulky.decode()));
    const copies = await Promise.all(waits);
    expect(new Set(copies).size).toBe(3);
    expect(source.decode).not.toHaveBeenCalled();
    expect(bulky.isReady).toBe(false);
    expect(bulky.decode()).toEqual({ a: 1 });
    expect(source.decode).toHaveBeenCalledTimes(1);
  });

  it('are let go when nobody takes them in the same turn', async () => {
    const { bulky, source } = makeBulky();
    await bulky.prepare();
    const copy = new WeakRef((await source.decodeInSlices.mock.results[0]!.value) as object);
    source.decodeInSlices.mockClear();
    expect(bulky.isReady).toBe(true);
    await nextTurn();
    expect(bulky.isReady).toBe(false);
    expect(await isCollected(copy)).toBe(true);
    expect(bulky.decode()).toEqual({ a: 1 });
    expect(source.decode).toHaveBeenCalledTimes(1);
  });

  it('are not made for who has aborted, who is told why', async () => {
    const { bulky, source } = makeBulky();
    const before = AbortSignal.abort(new Error('gone before'));
    await expect(bulky.prepare(before)).rejects.toThrow('gone before');
    const controller = new AbortController();
    source.decodeInSlices.mockImplementationOnce(async (check) => {
      controller.abort(new Error('gone meanwhile'));
      check();
      throw new Error('read on');
    });
    await expect(bulky.prepare(controller.signal)).rejects.toThrow('gone meanwhile');
    expect(bulky.isReady).toBe(false);
  });

  it('leave what can not be read to whoever decodes', async () => {
    const { bulky, source } = makeBulky();
    source.decodeInSlices.mockRejectedValueOnce(new Error('unreadable'));
    await bulky.prepare();
    expect(bulky.isReady).toBe(false);
    source.decode.mockImplementationOnce(() => {
      throw new Error('unreadable');
    });
    expect(() => bulky.decode()).toThrow('unreadable');
  });
});
