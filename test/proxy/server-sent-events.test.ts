import { expect, it, vi } from 'vitest';
import { type ServerSentEvent, serverSentEvents } from '../../src/proxy/server-sent-events.js';

async function eventsOf(text: string, size: number) {
  const bytes = Buffer.from(text);
  async function* body() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(body())) events.push(event);
  return events;
}

it.each([1, 2, 3, 7, 1_000])('reads events that come in pieces of %d bytes', async (size) => {
  const text =
    'id: 1\r\ndata: {"a":"é"}\r\n\r\nretry: 5\rdata: one\rdata:two\r\rdata: x\n: no\n\nid: 2\ndata: cut';
  expect(await eventsOf(text, size)).toEqual([
    { data: '{"a":"é"}', id: '1', retry: undefined },
    { data: 'one\ntwo', id: '1', retry: 5 },
    { data: 'x', id: '1', retry: 5 },
  ]);
});

it('looks at each piece of a long event once', async () => {
  let seen = 0;
  const split = String.prototype.split;
  const counting = function (this: string, by: RegExp) {
    seen += this.length;
    return split.call(this, by);
  };
  vi.spyOn(String.prototype, 'split').mockImplementation(counting as never);
  const text = `data: ${'x'.repeat(2 ** 20)}\n\n`;
  const [event] = await eventsOf(text, 2 ** 12);
  vi.restoreAllMocks();
  expect(event?.data).toHaveLength(2 ** 20);
  expect(seen).toBe(text.length);
});
