import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createValueCodec } from '../../../src/value/codec.js';
import { HeapMeter } from '../../../src/value/heap-size.js';
import { maxElements } from '../../../src/value/msgpack/limits.js';
import { readMsgpack } from '../../../src/value/msgpack/reader.js';
import { readMsgpackInSlices, SlicedReader } from '../../../src/value/msgpack/sliced-reading.js';
import { inForm } from '../../helper/form.js';
import { turnsDuring } from '../../helper/turns.js';
import { isSameValue } from '../same-value.js';
import { storableValues } from '../value-table.js';

const codec = createValueCodec();

/** The plain msgpack of each value, or of its form. */
const sources = storableValues.map(([name, value]) => {
  const encoded = codec.encode(value);
  return [name, encoded[0] === 0xc9 ? encoded.subarray(7) : encoded] as const;
});

/** Reads bytes with a stop wherever there may be one. */
function readWithStops(bytes: Uint8Array): { readonly value: unknown; readonly stops: number } {
  const reader = new SlicedReader(bytes);
  let stops = 0;
  while (!reader.goOn({ isOver: true })) stops += 1;
  return { value: reader.value, stops };
}

function outcomeOf(read: () => unknown): { readonly value: unknown } | 'refused' {
  try {
    return { value: read() };
  } catch {
    return 'refused';
  }
}

describe('a value that is read in slices', () => {
  it.each(sources)('is the one that is read at once: %s', (_name, bytes) => {
    expect(isSameValue(readMsgpack(bytes), readWithStops(bytes).value)).toBe(true);
  });

  it('is the one that is read at once, or refused as that is, under any mutation', () => {
    const short = sources.map(([, bytes]) => bytes).filter((bytes) => bytes.length < 5000);
    const changed = fc.record({
      source: fc.constantFrom(...short),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
      cut: fc.option(fc.nat(), { freq: 8 }),
    });
    fc.assert(
      fc.property(changed, ({ source, changes, cut }) => {
        const bytes = Uint8Array.from(source);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const given = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
        const [atOnce, sliced] = [() => readMsgpack(given), () => readWithStops(given).value].map(outcomeOf);
        expect(isSameValue(atOnce, sliced)).toBe(true);
      }),
      { numRuns: inForm({ short: 3000, long: 20_000 }) },
    );
  });

  it.each([
    ['a list', new Array(100_000).fill(1)],
    ['a map', Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, index]))],
    ['lists in lists', Array.from({ length: 30_000 }, () => [[1]])],
    ['large buffers', Array.from({ length: 100 }, () => Buffer.alloc(2 ** 17 + 1))],
  ])('stops after some elements, or many bytes: %s', (_name, value) => {
    const encoded = codec.encode(value);
    const bytes = encoded[0] === 0xc9 ? encoded.subarray(7) : encoded;
    const { stops } = readWithStops(bytes);
    expect(stops).toBeGreaterThanOrEqual(99);
    expect(stops).toBeLessThan(1000);
  });

  it.each([
    ['a million levels', new Uint8Array(1_000_000).fill(0x91), /levels of nesting/],
    ['a map that claims too much', Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff), /1048576 elements/],
    ['a list that claims more than there is', Uint8Array.of(0xdd, 0, 0, 0x10, 0), /more bytes/],
    ['two values', Uint8Array.of(0x01, 0x02), /one value/],
    ['a list as a key', Uint8Array.of(0x81, 0x90, 0x01), /keys of a map/],
  ])('is refused like any other: %s', (_name, bytes, message) => {
    expect(() => readWithStops(bytes)).toThrow(message);
    expect(() => readMsgpack(bytes)).toThrow(message);
  });

  it('is refused for too many elements before those are read', () => {
    const list = Buffer.alloc(5 + maxElements - 3);
    list[0] = 0xdd;
    list.writeUInt32BE(maxElements - 3, 1);
    const bytes = Buffer.concat([Buffer.of(0x92), list, Buffer.of(0x92, 0xc1, 0xc1)]);
    expect(() => readWithStops(bytes)).toThrow(/1048576 elements/);
    expect(() => readMsgpack(bytes)).toThrow(/1048576 elements/);
  });

  it('lets others run meanwhile, and read', async () => {
    const value = Array.from({ length: 300_000 }, (_, index) => [index]);
    const bytes = codec.encode(value);
    const other = codec.encode({ a: 'b' });
    let [read, isDone] = [0, false];
    const others = () => {
      expect(readMsgpack(other)).toEqual({ a: 'b' });
      read += 1;
      if (!isDone) setImmediate(others);
    };
    setImmediate(others);
    const copy = await readMsgpackInSlices(bytes);
    isDone = true;
    expect(read).toBeGreaterThan(0);
    expect(isSameValue(copy, value)).toBe(true);
  });

  it('takes no turn of its own where it holds few elements, however long their texts', async () => {
    const value = { content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] };
    let copy: unknown;
    void readMsgpackInSlices(codec.encode(value)).then((read) => {
      copy = read;
    });
    await Promise.resolve();
    await Promise.resolve();
    expect(copy).toEqual(value);
  });

  it('shares no turn with another that is read so', async () => {
    const bytes = codec.encode(new Array(1000).fill(''));
    const turns = await turnsDuring(() =>
      Promise.all(Array.from({ length: 20 }, () => readMsgpackInSlices(bytes))),
    );
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  it('is read no further once nobody wants it', async () => {
    const bytes = codec.encode(new Array(1000).fill(''));
    const check = vi.fn(() => {
      throw new Error('not wanted');
    });
    await expect(readMsgpackInSlices(bytes, { check })).rejects.toThrow('not wanted');
    expect(check).toHaveBeenCalledTimes(1);
  });
});

describe('a meter that listens while a value is read in slices', () => {
  it.each(storableValues)('counts what measuring the value does: %s', async (_name, value) => {
    const encoded = codec.encode(value);
    // Shapes count once: all have been met by then.
    codec.measure(value);
    codec.measure(value);
    const meter = new HeapMeter();
    await codec.decodeInSlices(encoded, { meter });
    expect(meter.bytes).toBe(codec.measure(value));
  });
});
