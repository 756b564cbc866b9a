/** What memory has is answered while the call is read: nothing that comes after it goes before, and no rule is left out. */

import { afterEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type ProxyConfig, resolveConfig } from '../../src/proxy/index.js';
import { openSessions } from '../../src/proxy/open-session.js';
import { Worlds } from '../../src/proxy/session-worlds.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { configOf } from './raw-client.js';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A session of this process, and what it has been told. */
async function begin(tools: ProxyConfig['servers'][string]['tools'] & {}, cache = new CacheManager()) {
  const said: string[] = [];
  const session = openSessions(resolveConfig(configOf({ tools })), { cache, worlds: new Worlds() }, (text) =>
    said.push(text),
  );
  open.push(session);
  let ids = 0;
  const send = (method: string, params: object = {}) => {
    session.receive(JSON.stringify({ jsonrpc: '2.0', id: ++ids, method, params }));
    return ids;
  };
  const answerTo = (id: number) => {
    const texts = said.map((text) => JSON.parse(text));
    return texts.find((each) => each.id === id && each.method === undefined);
  };
  /** The answer that is there at once, if there is one. */
  const now = (name: string, args: object = {}) =>
    answerTo(send('tools/call', { name, arguments: args }))?.result._meta['toolstash/answer'].source;
  const ask = async (method: string, params?: object) => {
    const id = send(method, params);
    await expect.poll(() => answerTo(id), { interval: 5 }).toBeDefined();
    return answerTo(id);
  };
  await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw' } });
  const call = (name: string, args: object = {}) => ask('tools/call', { name, arguments: args });
  return { said, send, now, ask, call };
}

it('answers before the next message is read, once it knows tool and answer', async () => {
  const { now, call, said, send } = await begin({ count: {} });
  expect(now('count')).toBeUndefined();
  await call('count');
  expect(now('count')).toBe('memory');
  expect(now('count', { other: 1 })).toBeUndefined();
  // The ping goes to the server, and comes after it.
  const before = said.length;
  const ids = [send('tools/call', { name: 'count', arguments: {} }), send('ping')];
  await expect.poll(() => said.length).toBeGreaterThanOrEqual(before + 2);
  expect(said.slice(before).map((text) => JSON.parse(text).id)).toEqual(expect.arrayContaining(ids));
  expect(JSON.parse(said[before] as string).id).toBe(ids[0]);
});

it('gives nobody an answer whose time is over, or whose tool may be another', async () => {
  const clock = new FakeClock();
  const { now, call, ask } = await begin({ count: { ttl: 1_000 } }, new CacheManager({ clock }));
  await call('count');
  expect(now('count')).toBe('memory');
  clock.advance(1_000);
  expect(now('count')).toBeUndefined();
  await call('count');
  expect(now('count')).toBe('memory');
  await ask('test/say', { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  expect(now('count')).toBeUndefined();
});

it('gives nobody what a call under way may change, or has changed', async () => {
  const { now, call, ask, send } = await begin({
    get: { effect: { reads: ['kv:{key}'] } },
    put_slowly: { effect: { writes: ['kv:{key}'] } },
  });
  // What the session has not listed may do anything.
  await ask('tools/list');
  for (const key of ['a', 'b']) await call('get', { key });
  expect([now('get', { key: 'a' }), now('get', { key: 'b' })]).toEqual(['memory', 'memory']);
  send('tools/call', { name: 'put_slowly', arguments: { key: 'a', value: 1 } });
  expect([now('get', { key: 'a' }), now('get', { key: 'b' })]).toEqual([undefined, 'memory']);
  // It has come to where it waits.
  await ask('ping');
  await ask('test/go');
  expect(now('get', { key: 'a' })).toBeUndefined();
  expect((await call('get', { key: 'a' })).result.content[0].text).toBe('1');
});
