/** Tools that read what others write: no answer of the cache is one that the server would not give. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import type { ProxyConfig } from '../../src/proxy/index.js';
import { inForm } from '../helper/form.js';
import { closeServed, HttpClient, serve, type Value } from './http-client.js';
import { closeAll, configOf, RawClient } from './raw-client.js';

let cache: CacheManager;
let folder: string;
beforeEach(async () => {
  cache = new CacheManager();
  folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
});
afterEach(async () => {
  await closeAll();
  await closeServed();
  await rm(folder, { recursive: true });
});

const tools: ProxyConfig['servers'][string]['tools'] = {
  get: { effect: { reads: ['state:{key}'] } },
  list: { effect: { reads: ['state:**'] } },
  put: { effect: { writes: ['state:{key}'] } },
  put_slowly: { effect: { writes: ['state:{key}'] } },
  count: { effect: 'opaque' },
  echo: {},
};
const shared = { identity: 'raw', principal: null, tools } as const;
const rollout = (task: string, id: string | number) => ({
  _meta: { 'toolstash/task': task, 'toolstash/rollout': id },
});

type Client = Pick<RawClient, 'call' | 'ask'>;
const textOf = (answer: Value) => answer.result?.content?.[0]?.text;
const sourceOf = (answer: Value) => answer.result?._meta?.['toolstash/answer']?.source ?? 'passed';

/** What a call says, and where that comes from. */
async function asked(client: Client, tool: string, args: object, more?: object) {
  const answer = await client.call(tool, args, more);
  return `${textOf(answer)} (${sourceOf(answer)})`;
}
const get = (client: Client, key: string, more?: object) => asked(client, 'get', { key }, more);
const put = (client: Client, key: string, value: string, more?: object) =>
  asked(client, 'put', { key, value }, more);

describe('without rollouts', () => {
  it('asks again for what a write has changed, and for nothing else', async () => {
    const client = await RawClient.connect(configOf(shared), cache);
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['nothing (tool)', 'nothing (memory)']);
    expect(await get(client, 'b')).toBe('nothing (tool)');
    expect([await put(client, 'a', '1'), await put(client, 'a', '1')]).toEqual([
      'put (passed)',
      'put (passed)',
    ]);
    expect([await get(client, 'a'), await get(client, 'b')]).toEqual(['1 (tool)', 'nothing (memory)']);
    expect([await asked(client, 'list', {}), await asked(client, 'list', {})]).toEqual([
      'a (tool)',
      'a (memory)',
    ]);
    await client.call('count');
    expect([await get(client, 'a'), await asked(client, 'list', {})]).toEqual(['1 (memory)', 'a (memory)']);
    // Nobody has said what these do.
    for (const unknown of ['tools/call', 'vendor/x']) {
      await client.ask(unknown, { name: 'fail' });
      expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['1 (tool)', '1 (memory)']);
    }
  });

  it('takes a write by one session for one to all, also of other principals', async () => {
    const env = { RAW_STATE: join(folder, 'state') };
    const connect = (more: object) => RawClient.connect(configOf({ ...shared, ...more, env }), cache);
    const url = await serve(configOf({ ...shared, env }), cache);
    const [one, other] = [await HttpClient.connect(url), await HttpClient.connect(url)];
    expect([await get(one, 'a'), await get(other, 'a')]).toEqual(['nothing (tool)', 'nothing (memory)']);
    expect(await put(one, 'a', '1')).toBe('put (passed)');
    expect([await get(other, 'a'), await get(one, 'a')]).toEqual(['1 (tool)', '1 (memory)']);
    // Of what passes elsewhere a proxy knows nothing, and takes nothing from there.
    const elsewhere = await connect({});
    expect([await get(elsewhere, 'a'), await get(elsewhere, 'a')]).toEqual(['1 (tool)', '1 (memory)']);
  });

  it('lets nothing wait for a write under way, and stores nothing that it may change', async () => {
    const client = await RawClient.connect(configOf(shared), cache);
    await get(client, 'a');
    const slow = client.call('put_slowly', { key: 'a', value: 'whole' });
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['half (passed)', 'half (passed)']);
    expect([await get(client, 'b'), await get(client, 'b')]).toEqual(['nothing (tool)', 'nothing (memory)']);
    await client.ask('test/go');
    expect(textOf(await slow)).toBe('put');
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['whole (tool)', 'whole (memory)']);
  });

  it('stores nothing that was read while a write began', async () => {
    const client = await RawClient.connect(
      configOf({ ...shared, tools: { ...tools, wait: { effect: { reads: ['state:a'] } } } }),
      cache,
    );
    const waiting = client.request('tools/call', { name: 'wait' });
    await expect
      .poll(() => client.arrived().then((all) => all.some((text) => text.includes('"wait"'))))
      .toBe(true);
    await put(client, 'a', '1');
    await client.ask('test/go');
    await client.answer(waiting);
    expect(cache.stats().entries).toBe(0);
  });

  it('doubts what a cancelled write may still change, until it is answered', async () => {
    const client = await RawClient.connect(configOf(shared), cache);
    await get(client, 'a');
    const id = client.request('tools/call', { name: 'put_slowly', arguments: { key: 'a', value: 'whole' } });
    client.send(
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } }),
    );
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['half (passed)', 'half (passed)']);
    await client.ask('test/go');
    await client.ask('ping');
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['whole (tool)', 'whole (memory)']);
    expect(client.received.some(({ value }) => value.id === id)).toBe(false);
  });

  it('knows nothing of a server that has begun anew', async () => {
    const client = await RawClient.connect(configOf({ tools }), cache);
    await put(client, 'a', '1');
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual(['1 (tool)', '1 (memory)']);
    process.kill((await client.ask('test/pid')).result.pid, 'SIGKILL');
    await expect.poll(async () => (await client.ask('ping')).result).toEqual({});
    expect(await get(client, 'a')).toBe('nothing (tool)');
  });

  it('takes a tool for one that may do anything of which its server says that it writes', async () => {
    const client = await RawClient.connect(
      configOf({ ...shared, tools: { ...tools, write: { effect: { reads: ['x'] } } } }),
      cache,
    );
    await get(client, 'a');
    await client.call('write');
    expect(await get(client, 'a')).toBe('nothing (tool)');
  });

  it('takes it for one too before it knows what its server says', async () => {
    const env = { RAW_STATE: join(folder, 'state') };
    const url = await serve(
      configOf({ ...shared, env, tools: { ...tools, write: { effect: 'opaque' } } }),
      cache,
    );
    const [one, other] = [await HttpClient.connect(url), await HttpClient.connect(url)];
    expect([await get(one, 'a'), await get(one, 'a')]).toEqual(['nothing (tool)', 'nothing (memory)']);
    await other.call('write');
    expect(await get(one, 'a')).toBe('nothing (tool)');
  });

  it.each([
    ['a notification of a vendor', '{"jsonrpc":"2.0","method":"notifications/vendor/x"}'],
    ['a message that is no request', '{"jsonrpc":"2.0","id":null,"method":"vendor/x"}'],
  ])('takes %s for one that may change anything', async (_, message) => {
    const client = await RawClient.connect(configOf(shared), cache);
    await get(client, 'a');
    client.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    expect(await get(client, 'a')).toBe('nothing (memory)');
    client.send(message);
    expect([await get(client, 'a'), await get(client, 'a')]).toEqual([
      'nothing (passed)',
      'nothing (passed)',
    ]);
  });

  it('takes what one server of several does for something that others may read', async () => {
    const [one, other] = [configOf({ tools }), configOf()].map(({ servers }) => servers['raw']!);
    const client = await RawClient.connect({ servers: { one: one!, other: other! } }, cache);
    const read = () => asked(client, 'one__get', { key: 'a' });
    expect([await read(), await read()]).toEqual(['nothing (tool)', 'nothing (memory)']);
    await client.call('other__fail');
    expect(await read()).toBe('nothing (tool)');
  });

  it('heeds the calls in a batch', async () => {
    const client = await RawClient.connect(configOf(shared), cache);
    await get(client, 'a');
    client.send('[{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"fail"}}]');
    await expect.poll(() => client.received.some(({ value }) => Array.isArray(value))).toBe(true);
    expect(await get(client, 'a')).toBe('nothing (tool)');
  });
});

describe('rollouts', () => {
  const connect = () => RawClient.connect(configOf(shared), cache);

  it('of a task share answers as long as the same has happened in them', async () => {
    const [one, other, third] = [await connect(), await connect(), await connect()];
    expect(await get(one, 'a', rollout('t', 0))).toBe('nothing (tool)');
    expect(await get(other, 'a', rollout('t', 1))).toBe('nothing (memory)');
    expect(await put(one, 'a', '1', rollout('t', 0))).toBe('put (passed)');
    expect(await get(one, 'a', rollout('t', 0))).toBe('1 (tool)');
    expect(await get(other, 'a', rollout('t', 1))).toBe('nothing (memory)');
    expect(await put(other, 'a', '1', rollout('t', 1))).toBe('put (passed)');
    expect(await get(other, 'a', rollout('t', 1))).toBe('1 (memory)');
    expect(await put(third, 'a', '2', rollout('t', 2))).toBe('put (passed)');
    expect(await get(third, 'a', rollout('t', 2))).toBe('2 (tool)');
    // Another task begins elsewhere.
    expect(await get(await connect(), 'a', rollout('u', 0))).toBe('nothing (tool)');
    // An error may have changed anything.
    await one.call('refuse', {}, rollout('t', 0));
    expect(await get(one, 'a', rollout('t', 0))).toBe('1 (tool)');
  });

  it('of one session have one world, as have sessions of one rollout', async () => {
    const one = await connect();
    expect(await get(one, 'a', rollout('t', 0))).toBe('nothing (tool)');
    await put(one, 'a', '1', rollout('t', 0));
    expect(await get(one, 'a', rollout('t', 1))).toBe('1 (tool)');
    await put(one, 'a', '2', rollout('t', 0));
    expect(await get(one, 'a', rollout('t', 1))).toBe('2 (tool)');
    const env = { RAW_STATE: join(folder, 'state') };
    const url = await serve(configOf({ ...shared, env }), cache);
    const [again, beside] = [await HttpClient.connect(url), await HttpClient.connect(url)];
    expect(await get(again, 'b', rollout('u', 0))).toBe('nothing (tool)');
    expect(await get(beside, 'b', rollout('u', 0))).toBe('nothing (memory)');
    await put(again, 'b', '1', rollout('u', 0));
    expect(await get(beside, 'b', rollout('u', 0))).toBe('1 (tool)');
    // One that comes later may find what was written before.
    expect(await get(await HttpClient.connect(url), 'b', rollout('u', 0))).toBe('1 (tool)');
    // Calls without a rollout see the same world, perhaps.
    expect(await get(again, 'b')).toBe('1 (tool)');
  });

  it.each([
    ['another', rollout('t', 0)],
    ['none', {}],
  ])('first seen while %s of the session writes keep nothing from before', async (_, writer) => {
    const client = await connect();
    await get(client, 'w', rollout('t', 2));
    const writing = client.call('put', { key: 'a', value: '1', before: 500 }, writer);
    expect(await get(client, 'a', rollout('t', 1))).toBe('nothing (passed)');
    await writing;
    expect(await get(client, 'a', rollout('t', 1))).toBe('1 (tool)');
  });

  it('that the server keeps apart are known still once their session is over', async () => {
    const env = { RAW_STATE: join(folder, 'state') };
    const url = await serve({ ...configOf({ ...shared, env }), rollouts: { ownWorlds: true } }, cache);
    const clients = [];
    for (let count = 0; count < 4; count += 1) clients.push(await HttpClient.connect(url));
    const [fresh, writer, during, after] = clients as [HttpClient, HttpClient, HttpClient, HttpClient];
    expect(await get(fresh, 'a', rollout('t', 0))).toBe('nothing (tool)');
    await get(during, 'w', rollout('t', 0));
    const writing = writer.call('put', { key: 'a', value: '1', before: 500 }, rollout('t', 1));
    await sleep(100);
    expect(await get(during, 'a', rollout('t', 1))).toBe('nothing (passed)');
    await writing;
    expect(await get(during, 'a', rollout('t', 1))).toBe('1 (tool)');
    for (const client of [writer, during]) await fetch(url, { method: 'DELETE', headers: client.headers });
    expect(await get(after, 'a', rollout('t', 1))).toBe('1 (tool)');
    expect(await get(after, 'b', rollout('t', 2))).toBe('nothing (tool)');
    expect(await get(fresh, 'b', rollout('t', 0))).toBe('nothing (memory)');
  });

  it('have worlds of their own where the server keeps them apart', async () => {
    const config = { ...configOf(shared), rollouts: { ownWorlds: true } };
    const client = await RawClient.connect(config, cache);
    expect(await get(client, 'a', rollout('t', 0))).toBe('nothing (tool)');
    await put(client, 'b', '1', rollout('t', 0));
    expect(await get(client, 'b', rollout('t', 1))).toBe('1 (tool)');
    expect(await get(client, 'a', rollout('t', 1))).toBe('nothing (memory)');
  });

  it.each([
    ['a header', {}, { 'Toolstash-Task': 't', 'Toolstash-Rollout': '1' }, ''],
    ['the path', {}, {}, '/t/1'],
    ['a header of another name', { task: { header: 'X-Task' } }, { 'x-task': 't' }, ''],
    ['the config', { task: 't', id: '1' }, {}, ''],
  ])('are named by %s', async (_, rollouts, headers, path) => {
    const first = await connect();
    expect(await get(first, 'a', rollout('t', 0))).toBe('nothing (tool)');
    const url = await serve({ ...configOf(shared), rollouts }, cache);
    const client = await HttpClient.connect(`${url}${path}`, headers);
    expect(await get(client, 'a')).toBe('nothing (memory)');
    // What the call itself says goes first.
    expect(await get(client, 'a', rollout('u', 1))).toBe('nothing (tool)');
  });

  it('are no part of the path where no tool asks for them', async () => {
    const url = await serve(configOf(), cache);
    expect((await fetch(`${url}/t/1`)).status).toBe(404);
  });

  it('share as scope and samples say', async () => {
    const own = {
      get: { effect: { reads: ['state:{key}'] }, scope: 'rollout' },
      list: { effect: { reads: ['state:**'] }, scope: { tenant: 'x' } },
      count: { samples: 2 },
      wait: {},
    } as const;
    const open = () => RawClient.connect(configOf({ ...shared, tools: own }), cache);
    const clients = [await open(), await open(), await open(), await open(), await open()];
    const found = async (tool: string) => {
      const answers: string[] = [];
      for (const [id, client] of clients.entries())
        answers.push(sourceOf(await client.call(tool, { key: 'a' }, rollout(`${id % 2}`, id))));
      return answers.join();
    };
    expect(await found('get')).toBe('tool,tool,tool,tool,tool');
    expect(await found('list')).toBe('tool,memory,memory,memory,memory');
    expect((await found('count')).split(',').filter((source) => source === 'tool')).toHaveLength(2);
  });
});

it('answers as the server would, whatever is done in which session', { timeout: 120_000 }, async () => {
  const seed = Date.now() % 2 ** 31;
  const steps = fc.sample(
    fc.record({
      by: fc.nat(3),
      tool: fc.constantFrom('get', 'get', 'get', 'list', 'put', 'count', 'echo', 'fail'),
      key: fc.constantFrom('a', 'b', 'A ', 'a/b', '*'),
      value: fc.constantFrom('1', '2'),
      isLone: fc.boolean(),
    }),
    { numRuns: inForm({ short: 400, long: 10_000 }), seed },
  );
  const clients = await Promise.all([0, 1, 2, 3].map(() => RawClient.connect(configOf(shared), cache)));
  const states = clients.map(() => new Map<string, string>());
  let hits = 0;
  for (const [at, { by, tool, key, value, isLone }] of steps.entries()) {
    const [client, state] = [clients[by]!, states[by]!];
    // Two of them name no rollout in some of their calls.
    const more = by > 1 && isLone ? {} : rollout('t', by);
    // Without a rollout all are taken to have one world: here each has its own, so nothing is asked that one reads.
    if (by > 1 && isLone && (tool === 'get' || tool === 'list')) continue;
    const answer = await client.call(tool, { key, value }, more);
    if (sourceOf(answer) === 'memory') hits += 1;
    if (tool === 'put') state.set(key, value);
    const where = `seed ${seed}, step ${at}`;
    if (tool === 'get') expect(textOf(answer), where).toBe(state.get(key) ?? 'nothing');
    if (tool === 'list') expect(textOf(answer), where).toBe([...state.keys()].sort().join());
  }
  expect(hits).toBeGreaterThan(0);
});

it('answers nothing that was over before a call, however many are under way', {
  timeout: 120_000,
}, async () => {
  const seed = Date.now() % 2 ** 31;
  const steps = fc.sample(
    fc.record({
      isWrite: fc.nat(4).map((drawn) => drawn === 0),
      key: fc.constantFrom('a', 'b'),
      ...{ before: fc.nat(1), after: fc.nat(1), wait: fc.nat(1) },
    }),
    { numRuns: inForm({ short: 300, long: 10_000 }), seed },
  );
  const client = await RawClient.connect(configOf(shared), cache);
  /** Writes by their value: when they began and ended. */
  const writes: { readonly key: string; readonly from: number; to: number }[] = [];
  let hits = 0;
  let now = 0;
  const under: Promise<void>[] = [];
  for (const [at, { isWrite, key, before, after, wait }] of steps.entries()) {
    const from = ++now;
    const args = { key, before, after };
    if (isWrite) {
      const write = { key, from, to: Number.POSITIVE_INFINITY };
      const value = `${writes.push(write) - 1}`;
      const ended = () => {
        write.to = ++now;
      };
      under.push(client.call('put', { ...args, value }).then(ended));
    } else {
      const check = (answer: Value) => {
        if (sourceOf(answer) === 'memory') hits += 1;
        const found = textOf(answer);
        const write = found === 'nothing' ? { from: 0, to: 0 } : writes[Number(found)]!;
        // Another of the key began after it had ended, and ended before the call.
        const later = writes.find((each) => each.key === key && each.from > write.to && each.to < from);
        expect(later, `seed ${seed}, step ${at}`).toBeUndefined();
      };
      under.push(client.call('get', args).then(check));
    }
    if (wait === 0) await Promise.all(under.splice(0));
  }
  await Promise.all(under);
  expect(hits).toBeGreaterThan(0);
});
