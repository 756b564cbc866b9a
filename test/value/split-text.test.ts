/** Long texts in values are held apart, and nothing else about the values changes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper } from '../../src/value/keeper.js';
import { SplitText } from '../../src/value/split-text.js';
import { measured, usedBytes } from '../helper/used-memory.js';
import { jsonValue } from '../key/arbitrary.js';
import { isSameValue } from './same-value.js';

const codec = createValueCodec();
const keeper = copyingKeeper(codec);

const longText = fc
  .tuple(fc.constantFrom('a', 'é', '文', '🦦', 'a\n"'), fc.integer({ min: 0, max: 70_000 }))
  .map(([text, length]) => text.repeat(Math.ceil(length / text.length)));

const withLongTexts = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 2, arbitrary: longText },
    { weight: 2, arbitrary: jsonValue },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
    { weight: 2, arbitrary: fc.dictionary(fc.oneof(fc.string(), longText), tie('value'), { maxKeys: 4 }) },
  ),
})).value;

describe('a value with long texts', () => {
  it('is decoded as it was, by its shell and by its msgpack', () => {
    let apart = 0;
    fc.assert(
      fc.property(withLongTexts, (value) => {
        const encoded = codec.encode(value);
        const shell = SplitText.of(encoded);
        if (shell === undefined) return;
        apart++;
        expect(Buffer.compare(shell.encoded(), encoded)).toBe(0);
        if (!isSameValue(shell.decode(), codec.decode(encoded))) expect.fail('another value');
      }),
      { numRuns: 600, seed: 20_261_129 },
    );
    expect(apart).toBeGreaterThan(150);
  });

  it.each<[string, unknown]>([
    ['short texts alone', { list: Array.from({ length: 5000 }, (_, i) => `row ${i}`) }],
    ['numbers alone', Array.from({ length: 5000 }, (_, i) => i * 0xda)],
    ['a Buffer of the bytes that long texts begin with', Buffer.alloc(5000, 0xda)],
    ['a rich value', { at: new Date(), text: 'x'.repeat(5000) }],
  ])('is one only where texts are long: %s', (_, value) => {
    expect(SplitText.of(codec.encode(value))).toBeUndefined();
    expect(isSameValue(keeper.decode(keeper.encode(value).stored), value)).toBe(true);
  });

  it('hands out one text to all callers, and a shell of its own to each', measured, async () => {
    const value = { content: [{ type: 'text', text: '文'.repeat(500_000) }] };
    const { stored, bytes } = keeper.encode(value);
    expect(bytes).toBeGreaterThan(1_000_000);
    const before = await usedBytes();
    const copies = Array.from({ length: 50 }, () => keeper.decode(stored) as typeof value);
    expect((await usedBytes()).all - before.all).toBeLessThan(500_000);
    copies[0]!.content[0]!.type = 'changed';
    copies[0]!.content.push({ type: 'text', text: 'more' });
    expect(copies[1]).toEqual(value);
    expect(keeper.decode(stored)).toEqual(value);
  });

  it('reaches slower tiers and comes back from them whole', async () => {
    const value = { content: [{ type: 'text', text: 'long '.repeat(20_000) }], more: ['x'.repeat(3000), 1] };
    const { stored } = keeper.encode(value);
    const accepted = await keeper.accept(keeper.toMsgpack(stored));
    expect(keeper.decode(accepted.stored, accepted.decoded)).toEqual(value);
    expect(keeper.decode(accepted.stored, accepted.decoded)).toEqual(value);
    expect(Buffer.compare(keeper.toMsgpack(accepted.stored), codec.encode(value))).toBe(0);
  });
});
