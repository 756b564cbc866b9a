/** What plain msgpack can't say is made again in slices as it is at once. */

import { describe, expect, it, vi } from 'vitest';
import { createValueCodec } from '../../../src/value/codec.js';
import { readMsgpackInSlices } from '../../../src/value/msgpack/sliced-reading.js';
import { richType, Tag } from '../../../src/value/rich/format.js';
import { turnsDuring } from '../../helper/turns.js';
import { isSameValue } from '../same-value.js';
import { storableValues } from '../value-table.js';

const codec = createValueCodec();

/** All but those that are as deep as can be: they are put into others here. */
const shallow = storableValues.filter(([name]) => !name.includes('levels'));

/** So many parts that each of several slices ends among them, at other places each. */
const filler = (length: number) =>
  Array.from({ length }, (_, index) => ({ at: new Date(index), list: [index] }));

describe('a rich value that is decoded in slices', () => {
  it.each(shallow)('is the one that is decoded at once: %s', async (_name, value) => {
    for (const length of [100, 101]) {
      // Ends of slices fall among its parts.
      const around = [...filler(length), { value }, new Map([[1, value]]), new Set([value])];
      const encoded = codec.encode(around);
      const copy = await codec.decodeInSlices(encoded);
      expect(isSameValue(copy, around)).toBe(true);
      expect(isSameValue(copy, codec.decode(encoded))).toBe(true);
    }
  });

  it.each([
    ['a list of dates', () => Array.from({ length: 4_000 }, (_, index) => new Date(index))],
    ['an object', () => Object.fromEntries(filler(4_000).entries())],
    ['an object without a prototype', () => Object.assign(Object.create(null), filler(4_000))],
    ['a list with holes', () => Object.assign([], { 50000: 1 }, filler(4_000))],
    ['a Map', () => new Map(filler(4_000).entries())],
    ['a Set', () => new Set(filler(4_000))],
    ['an error', () => Object.assign(new Error('many'), filler(4_000))],
  ])('lets others run while it is made again: %s', async (_name, make) => {
    const value = make();
    const encoded = codec.encode(value);
    // Each look at the clock finds the slice over, so there is a turn for every 256 parts.
    let now = 0;
    const spy = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 10;
      return now;
    });
    let copy: unknown;
    const form = encoded.subarray(7);
    const turnsToRead = await turnsDuring(() => readMsgpackInSlices(form));
    const turns = await turnsDuring(async () => {
      copy = await codec.decodeInSlices(encoded);
    });
    spy.mockRestore();
    expect(isSameValue(copy, value)).toBe(true);
    expect(turns - turnsToRead).toBeGreaterThan(4_000 / 256 - 2);
  });

  it('is made no further once nobody wants it', async () => {
    const encoded = codec.encode(Array.from({ length: 1000 }, () => new Date(0)));
    const wanted = vi.fn();
    const spy = vi.spyOn(performance, 'now').mockReturnValue(0);
    // Reads it in one slice, and makes it again in another.
    await codec.decodeInSlices(encoded, { check: wanted });
    expect(wanted).toHaveBeenCalledTimes(2);
    const unwanted = vi.fn().mockImplementationOnce(() => undefined);
    unwanted.mockImplementationOnce(() => {
      throw new Error('not wanted');
    });
    await expect(codec.decodeInSlices(encoded, { check: unwanted })).rejects.toMatchObject({
      cause: { message: 'not wanted' },
    });
    spy.mockRestore();
    expect(unwanted).toHaveBeenCalledTimes(2);
  });

  it('is the same where its bytes name a key twice', async () => {
    // {a: [1, list], a: [2, list]}: the last is meant, and is made once.
    const list = (item: number) => [0x92, item, Tag.Array];
    const map = [0x82, 0xa1, 0x61, ...list(1), 0xa1, 0x61, ...list(2)];
    const encoded = Uint8Array.from([0xc7, map.length + 1, richType, 1, ...map]);
    expect(codec.decode(encoded)).toEqual({ a: [2] });
    expect(await codec.decodeInSlices(encoded)).toEqual({ a: [2] });
  });
});
