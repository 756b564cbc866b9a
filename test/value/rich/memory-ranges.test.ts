import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryRanges } from '../../../src/value/rich/memory-ranges.js';

const range = fc.tuple(fc.nat(1), fc.nat(40), fc.nat(6)).map(([buffer, start, length]) => ({
  buffer,
  start,
  end: start + length,
}));

it('takes a range exactly when it shares no byte with those taken before', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), (ranges) => {
      const buffers = [new ArrayBuffer(0), new ArrayBuffer(0)] as const;
      const memory = new MemoryRanges();
      const taken = new Set<string>();
      for (const { buffer, start, end } of ranges) {
        const bytes = Array.from({ length: end - start }, (_, i) => `${buffer}:${start + i}`);
        const isFree = !bytes.some((byte) => taken.has(byte));
        if (isFree) for (const byte of bytes) taken.add(byte);

        expect(memory.add(buffers[buffer] as ArrayBuffer, start, end)).toBe(isFree);
      }
    }),
    { numRuns: 2_000 },
  );
});
