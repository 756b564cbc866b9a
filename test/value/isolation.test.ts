import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';

const canary = Buffer.from('CANARYCANARYCANARY');
const codec = createValueCodec();

/** Leaves canaries in freed and pooled memory, where a careless encoder would pick them up. */
function dirtyMemory(): void {
  for (const size of [64, 1_000, 8_192, 65_536, 300_000]) Buffer.allocUnsafe(size).fill(canary);
  codec.encode({ secret: canary.toString().repeat(2_000) });
  codec.encode(Buffer.alloc(50_000).fill(canary));
}

function sample(index: number): unknown {
  const size = (index * 7) % 600;
  switch (index % 8) {
    case 0:
      return new Float64Array(size).fill(index);
    case 1:
      return { rows: [{ id: index, note: 'é'.repeat(size) }] };
    case 2:
      return Buffer.from('x'.repeat(size));
    case 3:
      return new Map([[{ a: size }, new Uint16Array(size)]]);
    case 4:
      return 'x'.repeat(size);
    case 5:
      return [new DataView(new ArrayBuffer(size)), BigInt(size) ** 90n];
    case 6:
      return new Uint8Array(Buffer.alloc(1_000).fill(canary).buffer, 0, 0);
    default:
      return { at: new Date(index), text: `\ud800${'日'.repeat(size)}` };
  }
}

describe('an encoded value', () => {
  it('never carries bytes of other buffers', () => {
    for (let index = 0; index < 8_000; index += 1) {
      if (index % 100 === 0) dirtyMemory();
      const encoded = codec.encode(sample(index));
      if (Buffer.from(encoded.buffer).includes('CANARY')) expect.fail(`value ${index} carries foreign bytes`);
    }
  });

  it('holds only what a view shows, not the memory around it', () => {
    const around = Buffer.alloc(1_000).fill(canary);
    around.set([1, 2, 3], 100);

    const encoded = codec.encode({ shown: around.subarray(100, 103) });

    expect(Buffer.from(encoded).includes('CANARY')).toBe(false);
    expect(codec.decode(encoded)).toEqual({ shown: Buffer.from([1, 2, 3]) });
  });

  it('has memory of its own, of exactly its size', () => {
    for (let index = 0; index < 100; index += 1) {
      const encoded = codec.encode(sample(index));

      expect(encoded.buffer.byteLength).toBe(encoded.byteLength);
    }
  });

  it('is not touched by what is encoded later', () => {
    const first = codec.encode({ a: 'first' });
    codec.encode({ a: 'other' });

    expect(codec.decode(first)).toEqual({ a: 'first' });
  });
});

describe('a decoded value', () => {
  it.each([3, 100_000])('shares no memory with its source of %i bytes or with other values', (size) => {
    const encoded = codec.encode({ buffer: Buffer.alloc(size, 1), view: new Uint8Array(size).fill(2) });
    const first = codec.decode(encoded) as { buffer: Buffer; view: Uint8Array };
    encoded.fill(0);
    codec.decode(codec.encode({ buffer: Buffer.alloc(size, 9) }));

    expect(first.buffer.every((byte) => byte === 1)).toBe(true);
    expect(first.view.every((byte) => byte === 2)).toBe(true);
    expect(first.buffer.buffer.byteLength).toBe(size);
    expect(first.view.buffer.byteLength).toBe(size);
  });

  it('reads from the middle of a larger buffer', () => {
    const encoded = codec.encode({ a: ['text', new Date(3)] });
    const body = Buffer.concat([Buffer.from([1, 2, 3]), encoded, Buffer.from([4])]);

    expect(codec.decode(body.subarray(3, 3 + encoded.length))).toEqual({ a: ['text', new Date(3)] });
  });
});
