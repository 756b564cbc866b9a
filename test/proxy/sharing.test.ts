/** Who shares results with whom: what tells sessions apart that give one identity. */

import { afterEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { closeServed, HttpClient, serve } from './http-client.js';
import { closeAll, configOf, RawClient } from './raw-client.js';

afterEach(async () => {
  await closeAll();
  await closeServed();
});

const shared = { identity: 'raw', principal: null, tools: { '*': {} } } as const;

const sourceOf = (answer: { result: { _meta?: Record<string, { source: string }> } }) =>
  answer.result._meta?.['toolstash/answer']?.source;

it('tells principals apart whose clients send on the same headers', async () => {
  const cache = new CacheManager();
  const url = await serve(configOf());
  const asking = async (principal: string) => {
    const server = { url, ...shared, principal, forwardHeaders: ['Accept-Language'] };
    const proxy = await serve({ servers: { raw: server } }, cache);
    return sourceOf(await (await HttpClient.connect(proxy, { 'accept-language': 'en' })).call('count'));
  };
  expect([await asking('ada'), await asking('bob'), await asking('ada')]).toEqual(['tool', 'tool', 'memory']);
});

it('keeps to a session what the server answers once it has asked for the roots', async () => {
  const cache = new CacheManager();
  const [one, other, early] = await Promise.all(
    [1, 2, 3].map(() => RawClient.connect(configOf(shared), cache)),
  );
  const call = async (client: RawClient) => sourceOf(await client.call('count'));
  const askForRoots = async (client: RawClient, id: string) => {
    const asks = () => client.received.filter(({ value }) => value.method === 'roots/list');
    const before = asks().length;
    const asked = client.ask('test/ask', { method: 'roots/list', id });
    await expect.poll(() => asks().length).toBe(before + 1);
    client.send(JSON.stringify({ jsonrpc: '2.0', id: asks().at(-1)?.value.id, result: { roots: [] } }));
    await asked;
  };
  expect([await call(one), await call(other)]).toEqual(['tool', 'memory']);
  await askForRoots(one, 'first');
  expect([await call(one), await call(one), await call(other)]).toEqual(['tool', 'memory', 'memory']);
  // As many do before any tool is called, also in a process that was started again.
  await askForRoots(early, 'early');
  expect([await call(early), await call(early)]).toEqual(['tool', 'memory']);
  process.kill((await early.ask('test/pid')).result.pid, 'SIGKILL');
  await expect.poll(async () => (await early.ask('ping')).result).toEqual({});
  await askForRoots(early, 'early');
  expect([await call(early), await call(early)]).toEqual(['tool', 'memory']);
  // They are others now, which the server will ask for.
  one.send('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}');
  expect([await call(one), await call(one)]).toEqual(['tool', 'memory']);
  await askForRoots(one, 'again');
  expect([await call(one), await call(one), await call(other)]).toEqual(['tool', 'memory', 'memory']);
});
