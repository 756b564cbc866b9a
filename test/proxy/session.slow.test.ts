/** What a proxy relays untouched, what it answers from its cache, and what it never stores. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { resolveConfig, serveStdio } from '../../src/proxy/index.js';
import type { ProxyToolRules } from '../../src/proxy/tool-declarations.js';
import { closeAll, configOf, isRunning, RawClient, rawServer } from './raw-client.js';

afterEach(closeAll);

const everybody = { identity: 'raw', principal: null } as const;
const all: ProxyToolRules = { '*': {} };

const textOf = (answer: { result: { content: { text: string }[] } }) => answer.result.content[0]?.text;
const toldOf = (answer: { result: { _meta?: Record<string, { source: string }> } }) =>
  answer.result._meta?.['toolstash/answer'];

/** A client whose tools are cached, shared with all others. */
const caching = (cache = new CacheManager(), tools = all) =>
  RawClient.connect(configOf({ ...everybody, tools }), cache);

/** Own ids differ from run to run. */
const withoutIds = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/"[\da-f]{8}-\d+"/g, '"own"'));

describe('the relay', () => {
  it('passes on every byte but ids and progress tokens, in order, also of what it does not know', async () => {
    const client = await RawClient.connect(configOf());
    const before = (await client.arrived()).length;
    const said = [
      '{"method":"vendor/thing", "params":{"n":12345678901234567890,"f":1.0,"t":"\\u00e9é"},"jsonrpc":"2.0"}',
      '{ "jsonrpc":"2.0", "params":{"_meta":{"x":{"id":1},"progressToken":7},"id":"no"}, "id" : 5, "method":"ping" }',
      '{"jsonrpc":"2.0","id":"a\\"b","method":"vendor/unknown","more":[{}]}',
      '[{"jsonrpc":"2.0","method":"one"},{"jsonrpc":"2.0","id":9,"method":"two"}]',
    ];
    for (const text of said) client.send(text);
    expect((await client.answer('a"b')).value.error.code).toBe(-32601);
    const arrived = withoutIds((await client.arrived()).slice(before));
    expect(arrived.slice(0, -1)).toEqual([
      said[0],
      '{ "jsonrpc":"2.0", "params":{"_meta":{"x":{"id":1},"progressToken":"own"},"id":"no"}, "id" : "own", "method":"ping" }',
      '{"jsonrpc":"2.0","id":"own","method":"vendor/unknown","more":[{}]}',
      '[{"jsonrpc":"2.0","method":"one"},{"jsonrpc":"2.0","id":"own","method":"two"}]',
    ]);
  });

  it('refuses what is no message, under the id that it has', async () => {
    const client = await RawClient.connect(configOf());
    const deep = `${'['.repeat(20_000)}12345678901234567890${']'.repeat(20_000)}`;
    client.send(`{"jsonrpc":"2.0","id":"deep","method":"x","params":{"a":${deep}}}`);
    client.send('{"jsonrpc":"2.0","params":{"a":NaN,"id":1},"id" : 77,"method":"x","\\x":1}');
    for (const text of ['this is no JSON', '"nor a message"']) client.send(text);
    for (const id of ['deep', 77, null]) expect((await client.answer(id)).value.error.code).toBe(-32700);
    expect((await client.arrived()).filter((line) => /NaN|nor a|this is/.test(line))).toEqual([]);
  });

  it('brings answers back as they are, under the id that the client gave', async () => {
    const client = await RawClient.connect(configOf());
    for (const id of ['9007199254740993', '"x"', '0']) {
      client.send(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"big"}}`);
      const find = () => client.received.find(({ text }) => text.startsWith(`{"id":${id}, `))?.text;
      await expect.poll(find).toMatch(/ "result":{"content":\[\],"id":9007199254740993,"run":\d}}$/);
    }
  });

  it('maps progress tokens, and leaves a call without one without', async () => {
    const client = await RawClient.connect(configOf({ tools: { progress: {} } }));
    for (const name of ['progress', 'write'] as const) {
      const given = { progressToken: `token of ${name}`, other: 1 };
      expect(textOf(await client.call('progress', { name }, { _meta: given }))).toContain(' told');
      const { params } = client.received.find(
        ({ value }) => value.method === 'notifications/progress',
      )!.value;
      expect(params).toEqual({ progressToken: 'token of progress', progress: 1 });
    }
    expect(textOf(await client.call('progress'))).toContain('untold');
    expect((await client.arrived()).at(-2)).not.toContain('progressToken');
  });

  it('takes back what its client cancels: a call of its own, or one that it has made in its place', async () => {
    const client = await caching();
    for (const [name, uncached] of [
      ['wait', { task: {} }],
      ['wait', {}],
    ] as const) {
      const id = client.request('tools/call', { name, arguments: {}, ...uncached });
      await expect.poll(() => client.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
      const call = JSON.parse((await client.arrived()).findLast((line) => line.includes('"wait"')) as string);
      client.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`);
      const cancelled = (await client.arrived()).findLast((line) => line.includes('notifications/cancelled'));
      expect(JSON.parse(cancelled as string).params.requestId).toBe(call.id);
      await client.ask('test/go');
      await client.ask('ping');
      expect(client.received.filter(({ value }) => value.id === id)).toEqual([]);
    }
  });

  it('brings what the server asks to the client, and the answer back', async () => {
    const client = await caching();
    const call = client.request('tools/call', { name: 'ask', arguments: {} });
    const asked = () => client.received.find(({ value }) => value.method === 'elicitation/create');
    await expect.poll(asked).toBeDefined();
    client.send(
      JSON.stringify({ jsonrpc: '2.0', id: asked()?.value.id, result: { content: { name: 'ada' } } }),
    );
    expect(textOf((await client.answer(call)).value)).toBe('ada');
    // Nobody else has asked for it.
    const before = (await client.arrived()).length;
    client.send('{"jsonrpc":"2.0","id":"ask-1","result":{}}');
    expect(withoutIds((await client.arrived()).slice(before))).toHaveLength(1);
  });
});

describe('a cached tool', () => {
  it('is answered from the cache, which says so, also for other sessions', async () => {
    const cache = new CacheManager();
    const [one, other] = [await caching(cache), await caching(cache)];
    const first = await one.call('count', { a: 1 }, { _meta: { traceparent: 'x' } });
    expect(toldOf(first)).toEqual({ source: 'tool', ageMs: 0, isStale: false, key: expect.any(String) });
    const second = await other.call('count', { a: 1 }, { _meta: { traceparent: 'y' } });
    expect(toldOf(second)).toMatchObject({ source: 'memory', key: toldOf(first)?.['key' as never] });
    const { _meta: _, ...result } = first.result;
    expect(second.result).toMatchObject(result);
    expect(result.vendor).toEqual({ kept: [1, null] });
    expect(textOf(await other.call('count', { a: 2 }))).toContain('run 1');
    expect((await other.arrived()).filter((line) => line.includes('tools/call'))).toHaveLength(1);
  });

  it('runs once for many who ask at once', async () => {
    const client = await caching();
    const calls = Array.from({ length: 256 }, () => client.call('wait'));
    await expect.poll(() => client.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
    await client.ask('test/go');
    expect(new Set((await Promise.all(calls)).map(textOf))).toEqual(new Set(['run 1']));
    expect((await client.arrived()).filter((line) => line.includes('tools/call'))).toHaveLength(1);
  });

  it('is one of its session alone unless it is named, and of its principal', async () => {
    const cache = new CacheManager();
    const asking = async (server: object) => {
      const client = await RawClient.connect(configOf({ tools: all, ...server }), cache);
      return toldOf(await client.call('count'))?.source;
    };
    expect(await asking({})).toBe('tool');
    expect(await asking({})).toBe('tool');
    expect(await asking({ identity: 'raw', principal: 'ada' })).toBe('tool');
    expect(await asking({ identity: 'raw', principal: 'bob' })).toBe('tool');
    expect(await asking({ identity: 'other', principal: 'bob' })).toBe('tool');
    expect(await asking({ identity: 'raw', principal: 'bob' })).toBe('memory');
    // Another definition of the tool.
    expect(await asking({ identity: 'raw', principal: 'bob', args: [rawServer, '2'] })).toBe('tool');
  });

  it('is one that is listed, and of which the server says nothing else', async () => {
    const client = await caching(undefined, { count: {}, write: {} });
    for (const name of ['write', 'big']) {
      const twice = [await client.call(name), await client.call(name)];
      expect(twice.map((each) => toldOf(each))).toEqual([undefined, undefined]);
      expect(twice[0].result).not.toEqual(twice[1].result);
    }
  });

  it.each(['fail', 'refuse', 'task', 'unfinished'])(
    'is never stored where it ends otherwise: %s',
    async (name) => {
      const cache = new CacheManager();
      const client = await caching(cache);
      const [one, other] = [await client.call(name), await client.call(name)];
      expect(one.result ?? one.error.data).not.toEqual(other.result ?? other.error.data);
      if (name === 'refuse') expect(one.error).toEqual({ code: -32099, message: 'no', data: { run: 1 } });
      expect(cache.stats()).toMatchObject({ entries: 0, hits: 0 });
    },
  );

  it('is never stored where the server asks meanwhile, or the call means more than it says', async () => {
    const cache = new CacheManager();
    const client = await caching(cache);
    const waiting = client.call('wait');
    const asking = client.request('tools/call', { name: 'ask', arguments: {} });
    const asked = () => client.received.find(({ value }) => value.method === 'elicitation/create');
    await expect.poll(asked).toBeDefined();
    await client.ask('test/go');
    client.send(
      JSON.stringify({ jsonrpc: '2.0', id: asked()?.value.id, result: { content: { name: 'ada' } } }),
    );
    await Promise.all([waiting, client.answer(asking)]);
    await client.call('count', {}, { inputResponses: {} });
    await client.call('count', {}, { requestState: 'x' });
    await client.call('count', {}, { task: { ttl: 1 } });
    expect(cache.stats().entries).toBe(0);
  });

  it('keeps integers that no number holds, stored or not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
    for (const source of ['tool', 'memory', 'disk']) {
      await using cache = await CacheManager.open({ persist: true, persistDir: folder });
      const client = await caching(cache);
      if (source === 'memory') await client.call('big');
      const id = client.request('tools/call', { name: 'big' });
      const { text, value } = await client.answer(id);
      expect(text).toContain('"id":9007199254740993,"run":1');
      expect(toldOf(value)?.source).toBe(source === 'memory' ? 'memory' : source);
      await closeAll();
    }
    await rm(folder, { recursive: true });
  });

  it('tells apart arguments that only digits beyond a number tell apart', async () => {
    const client = await caching();
    for (const [id, digits] of [
      ['1001', '9007199254740993'],
      ['1002', '9007199254740992'],
    ]) {
      client.send(
        `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"count","arguments":{"n":${digits}}}}`,
      );
      expect(toldOf((await client.answer(Number(id))).value)?.source).toBe('tool');
    }
    expect((await client.arrived()).filter((line) => line.includes('"n":9007199254740993}'))).toHaveLength(1);
  });

  it('obeys its time limit, and tells the server', async () => {
    const client = await caching(undefined, { wait: { hardTimeout: 50 } });
    const { error } = await client.call('wait');
    expect(error).toMatchObject({ code: -32001, data: { code: 'ERR_LOADER_TIMEOUT' } });
    await expect
      .poll(() => client.arrived())
      .toContainEqual(expect.stringContaining('"method":"notifications/cancelled"'));
  });
});

describe('a server that dies', () => {
  it('leaves calls in flight with an error, is started again, and told what it was told', async () => {
    const client = await caching();
    const { pid } = (await client.ask('test/pid')).result;
    client.send('{"jsonrpc":"2.0","id":"level","method":"logging/setLevel","params":{"level":"info"}}');
    await client.answer('level');
    const [relayed, cached, joined] = [client.ask('test/silence'), client.call('wait'), client.call('wait')];
    await expect.poll(() => client.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
    process.kill(pid, 'SIGKILL');
    for (const each of [relayed, cached, joined]) {
      expect((await each).error).toEqual({
        code: -32000,
        message:
          'toolstash: the server `raw` has ended (signal SIGKILL), and what was asked of it has no answer: it is started again',
      });
    }
    // Asked of the tool as it was before, it is not stored.
    expect(textOf(await client.call('count'))).toContain('run 1 ');
    expect(textOf(await client.call('count'))).toContain('run 2 ');
    expect(textOf(await client.call('count'))).toContain('run 2 ');
    expect((await client.ask('test/pid')).result.pid).not.toBe(pid);
    const told = (await client.arrived()).map((line) => JSON.parse(line).method);
    expect(told.slice(0, 3)).toEqual(['initialize', 'notifications/initialized', 'logging/setLevel']);
    // Its tools may be others now.
    expect(told).toContain('tools/list');
    // What it says to that is for nobody.
    expect(client.received.filter(({ value }) => value.id === 'level' || value.id === 1)).toHaveLength(2);
  });

  it('is answered for from what is stored, while it can not be started', async () => {
    const client = await caching(undefined, { count: { ttl: '1ms', staleIfError: '1h' }, die: {} });
    await client.call('count');
    for (let died = 0; died < 5; died += 1) expect((await client.call('die')).error.code).toBe(-32000);
    // It is away for a while now.
    expect((await client.ask('ping')).error.message).toMatch(/started again in \d s$/);
    const answer = await client.call('count');
    expect(toldOf(answer)).toMatchObject({ source: 'memory', isStale: true });
    expect(textOf(answer)).toContain('run 1');
  });

  it('takes no answer to what it had asked for one to what it asks now', async () => {
    const client = await RawClient.connect(configOf());
    const { pid } = (await client.ask('test/pid')).result;
    const asked = () => client.received.filter(({ value }) => value.method === 'elicitation/create');
    const answer = (at: number, name: string) =>
      client.send(
        JSON.stringify({ jsonrpc: '2.0', id: asked()[at]?.value.id, result: { content: { name } } }),
      );
    const first = client.call('ask');
    await expect.poll(() => asked().length).toBe(1);
    process.kill(pid, 'SIGKILL');
    expect((await first).error.code).toBe(-32000);
    const taken = client.received.find(({ value }) => value.method === 'notifications/cancelled')?.value;
    expect(taken.params.requestId).toBe(asked()[0]?.value.id);
    const second = client.call('ask');
    await expect.poll(() => asked().length).toBe(2);
    answer(0, 'late');
    answer(1, 'ada');
    expect(textOf(await second)).toBe('ada');
    expect((await client.arrived()).findLast((line) => line.includes('"ada"'))).toContain('"id":"ask-1"');
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'again' } };
    client.request('test/ask', { method: 'roots/list', id: 'again' });
    await client.ask('test/say', cancelled);
    const [own, withdrawn] = ['roots/list', cancelled.method].map(
      (method) => client.received.findLast(({ value }) => value.method === method)?.value,
    );
    expect(withdrawn.params.requestId).toBe(own.id);
  });

  it('does not open the circuit breaker of its tools for all others', async () => {
    const client = await RawClient.connect(configOf({ tools: { die: { circuitBreaker: { failures: 2 } } } }));
    for (const at of [1, 2, 3]) {
      await expect.poll(async () => (await client.ask('ping')).result, { timeout: 15_000 }).toEqual({});
      expect((await client.call('die', { at })).error.message).toContain('has ended');
    }
  });

  it('that can not be started at all is told of', async () => {
    const client = new RawClient(configOf({ command: 'no-such-program' }));
    expect((await client.ask('initialize')).error.message).toContain('spawn no-such-program ENOENT');
  });

  it('gives whoever has joined its call the answer of his own', async () => {
    const cache = new CacheManager();
    const [one, other] = [await caching(cache), await caching(cache)];
    const { pid } = (await one.ask('test/pid')).result;
    await other.call('count');
    const first = one.call('wait');
    await expect.poll(() => one.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
    const second = other.call('wait');
    await other.ask('ping');
    process.kill(pid, 'SIGKILL');
    expect((await first).error.code).toBe(-32000);
    await expect.poll(() => other.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
    await other.ask('test/go');
    expect(textOf(await second)).toBe('run 2');
  });
});

describe('the end', () => {
  it('waits for what is under way, and leaves no process', async () => {
    const client = await caching();
    const { pid } = (await client.ask('test/pid')).result;
    const call = client.request('tools/call', { name: 'wait', arguments: {} });
    await expect.poll(() => client.arrived()).toContainEqual(expect.stringContaining('"name":"wait"'));
    client.request('test/go');
    await client.leave();
    expect(textOf((await client.answer(call)).value)).toBe('run 1');
    expect(isRunning(pid)).toBe(false);
  });

  it('leaves none of the processes either that the server has started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
    const script = 'sleep 1000 & echo $! > "$0"; exec "$@"';
    const args = ['-c', script, join(folder, 'pid'), process.execPath, rawServer];
    const client = await RawClient.connect(configOf({ command: 'sh', args }));
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    expect(isRunning(pid)).toBe(true);
    await client.leave();
    await expect.poll(() => isRunning(pid)).toBe(false);
    await rm(folder, { recursive: true });
  });
});

it('sends no more to a client that does not read, and takes no more of it', async () => {
  const input = new PassThrough();
  const free: (() => void)[] = [];
  const output = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void free.push(done) });
  const stop = new AbortController();
  const config = resolveConfig(configOf());
  const ended = serveStdio(config, new CacheManager(), { input, output, signal: stop.signal });
  for (let id = 0; id < 50; id += 1) input.write(`{"jsonrpc":"2.0","id":${id},"method":"ping"}\n`);
  await expect.poll(() => output.writableLength).toBeGreaterThan(1);
  expect(input.isPaused()).toBe(true);
  expect(output.listenerCount('drain')).toBe(1);
  input.write('{"jsonrpc":"2.0","id":"last","method":"ping"}\n');
  await expect
    .poll(() => {
      for (const done of free.splice(0)) done();
      return output.writableLength === 0 && !input.isPaused();
    })
    .toBe(true);
  stop.abort();
  await ended;
});
