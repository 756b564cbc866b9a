import { expect, it } from 'vitest';
import { readMsgpack } from '../../../src/value/msgpack/reader.js';
import { MsgpackWriter } from '../../../src/value/msgpack/writer.js';

it('writes msgpack of any size, what is encoded already included', () => {
  const writer = new MsgpackWriter();
  for (const size of [0, 1, 31, 32, 255, 256, 5_000, 70_000]) {
    writer.array(4);
    writer.string('é'.repeat(size));
    writer.number(size * 1e9);
    writer.map(0);
    writer.raw(Buffer.from(`db${size.toString(16).padStart(8, '0')}${'61'.repeat(size)}`, 'hex'));
    expect(readMsgpack(writer.take())).toEqual(['é'.repeat(size), size * 1e9, {}, 'a'.repeat(size)]);
  }
});

it.each([
  ['nil', null, (writer: MsgpackWriter) => writer.nil()],
  ['true', true, (writer: MsgpackWriter) => writer.boolean(true)],
  ['false', false, (writer: MsgpackWriter) => writer.boolean(false)],
  ['a number', 7, (writer: MsgpackWriter) => writer.number(7)],
  ['a short text', 'a', (writer: MsgpackWriter) => writer.string('a')],
])('writes %s where its memory has to grow for it', (_name, value, write) => {
  const writer = new MsgpackWriter();
  const count = 40_000;
  writer.array(count);
  for (let item = 0; item < count; item += 1) write(writer);
  expect(readMsgpack(writer.take())).toEqual(new Array(count).fill(value));
});
