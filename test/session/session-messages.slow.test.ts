/** Messages and requests between nodes, on a real Redis. */

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionCommands } from '../../src/session/session-commands.js';
import { SessionMessages } from '../../src/session/session-messages.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { createValueCodec } from '../../src/value/codec.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { closeNodes, openNode } from './nodes.js';

interface Types {
  readonly messages: { news: { at: Date; text: string } };
  readonly requests: { double: { request: number; reply: number } };
}

let server: RedisServer;
const node = (name: string) => openNode<Types>({ url: server.url, node: name });

beforeEach(async () => {
  server ??= await RedisServer.start();
});
afterEach(closeNodes);
afterAll(stopServers);

describe('a message', () => {
  it('reaches all who listen, and tells how many there were', async () => {
    const [a, b, c] = [await node('a'), await node('b'), await node('c')];
    const heard: unknown[] = [];
    const stop = await b.messages.on('news', (payload, source) => void heard.push([payload, source.node]));
    await c.messages.on('news', (payload, source) => void heard.push([payload, source.node]));
    const payload = { at: new Date(0), text: 'hello' };
    expect(await a.messages.publish('news', payload)).toBe(2);
    await expect
      .poll(() => heard)
      .toEqual([
        [payload, 'a'],
        [payload, 'a'],
      ]);
    stop();
    await expect.poll(() => a.messages.publish('news', payload)).toBe(1);
  });

  it('that can not be encoded is an error at the sender', async () => {
    const a = await node('a');
    const wrong = { at: new Date(0), text: Symbol('x') as unknown as string };
    await expect(a.messages.publish('news', wrong)).rejects.toMatchObject({
      code: 'ERR_UNSTORABLE_VALUE',
      path: 'value.text',
    });
  });

  it('is heard again after the connection was lost', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const heard: string[] = [];
    await b.messages.on('news', ({ text }) => void heard.push(text));
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const send = () => a.messages.publish('news', { at: new Date(), text: 'again' }).catch(() => 0);
    await expect.poll(send).toBe(1);
    await expect.poll(() => heard).toContain('again');
  });

  it('that a listener fails on, or that is none of ours, harms nobody', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const [errors, heard]: [string[], string[]] = [[], []];
    b.on('error', ({ message }) => void errors.push(message));
    await b.messages.on('news', () => Promise.reject(new Error('dropped')));
    await b.messages.on('news', ({ text }) => void heard.push(text));
    await server.command('PUBLISH', 'toolstash-sessions:{nodes}:0:events', 'o{garbage');
    await server.command('PUBLISH', 'toolstash-sessions:{nodes}:0:topic:news', 'garbage');
    await a.messages.publish('news', { at: new Date(), text: 'fine' });
    await expect.poll(() => heard).toEqual(['fine']);
    await expect
      .poll(() => errors)
      .toEqual([
        expect.stringMatching(/What was told of other nodes could not be read/),
        expect.stringMatching(/A message could not be read/),
        expect.stringMatching(/A listener of `news` failed: dropped/),
      ]);
  });
});

describe('a subscription', () => {
  it('that has failed on connections that live on is made again', async () => {
    const [clock, channels, errors]: [FakeClock, Set<string>, string[]] = [new FakeClock(), new Set(), []];
    const subscribed: string[][] = [];
    const messages = new SessionMessages<Types>({
      ...{ clock, channels, codec: createValueCodec([]), node: 'a', id: 'a' },
      commands: { channel: (name: string) => name } as SessionCommands,
      subscribe: () => {
        subscribed.push([...channels]);
        return subscribed.length < 3 ? Promise.reject(new Error('too slow')) : Promise.resolve();
      },
      onError: ({ message }) => void errors.push(message),
    });
    await messages.on('news', () => undefined);
    await clock.advanceAsync(2_000);
    expect(subscribed).toEqual(Array.from({ length: 3 }, () => ['inbox:a', 'topic:news']));
    expect(errors).toHaveLength(2);
  });
});

describe('a request', () => {
  it('is answered by whoever can, or by the node that it is for', async () => {
    const [a, b, c] = [await node('a'), await node('b'), await node('c')];
    await b.messages.answer('double', (number) => number * 2);
    expect(await a.messages.request('double', 21)).toBe(42);
    await c.messages.answer('double', (_, source) => Promise.resolve(source.node === 'a' ? 1 : 0));
    expect(await a.messages.request('double', 21, { to: c.incarnation! })).toBe(1);
    await expect(b.messages.answer('double', () => 0)).rejects.toThrow(/one handler of the topic `double`/);
  });

  it.each([
    ['nobody is there', undefined, /Nobody is there to answer `double`/],
    [
      'its handler throws what has no text',
      () => {
        throw Object.create(null);
      },
      /`double` failed on `b`: something that has no text/,
    ],
    [
      'its handler fails',
      () => Promise.reject(new Error('no numbers today')),
      /failed on `b`: no numbers today/,
    ],
    ['its reply can not be encoded', () => Symbol('x') as unknown as number, /failed on `b`: .*symbol/i],
    ['no reply comes', () => new Promise<number>(() => undefined), /Nobody answered `double` within 300 ms/],
  ] as const)('is rejected where %s', async (_, handler, message) => {
    const [a, b] = [await node('a'), await node('b')];
    if (handler !== undefined) await b.messages.answer('double', handler);
    const asked = a.messages.request('double', 1, { timeout: 300 });
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toMatchObject({ code: 'ERR_REQUEST_FAILED' });
  });

  it('to a node that does not answer that topic, or is gone, is rejected at once', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const to = b.incarnation!;
    await expect(a.messages.request('double', 1, { to })).rejects.toThrow(/does not answer `double`/);
    await b.close();
    await expect.poll(() => a.messages.request('double', 1, { to }).catch(String)).toMatch(/Nobody is there/);
  });
});
