/** What holds for a cached client of any version of the MCP SDK, against real servers. */

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type ToolRules } from '../../src/index.js';
import { type CacheClientOptions, cacheClient } from '../../src/mcp/index.js';
import type { LooseClient } from '../../src/mcp/mcp-client.js';
import { gate } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';
import { freshTape } from '../recording/tape.js';
import type { ConnectOptions, Sdk, SdkClient, Tools } from './sdk.js';
import { withOptions } from './sdk.js';

const everybody = { server: 'docs', principal: null } as const;
const one: ToolRules = { tool: { ttl: '1h' } };

export function describeSdk(sdk: Sdk): void {
  const isModern = sdk.name.includes('by');

  describe(`version ${sdk.name}`, () => {
    const open: SdkClient[] = [];
    const tape = freshTape();
    let warnings: string[];

    beforeEach(() => {
      warnings = [];
      vi.spyOn(process, 'emitWarning').mockImplementation((warning) => warnings.push(String(warning)));
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      await Promise.all(open.splice(0).map((client) => client.close()));
    });

    async function connect(tools: Tools, options?: ConnectOptions) {
      const connected = await sdk.connect(tools, options);
      open.push(connected.client);
      return connected;
    }

    /** A tool that counts its runs, and a client with a cache. */
    async function counting({
      rules = one,
      options = everybody as CacheClientOptions,
      cache = new CacheManager(),
      definition = {},
      ...rest
    }: {
      rules?: ToolRules;
      options?: CacheClientOptions;
      cache?: CacheManager;
      definition?: Record<string, unknown>;
      answer?: string;
      asks?: boolean;
      run?: (input: Readonly<Record<string, unknown>>, runs: number, asked: string | undefined) => unknown;
      connect?: ConnectOptions;
    } = {}) {
      const { run = (input, runs) => `${JSON.stringify(input)} ${runs}`, asks = false } = rest;
      const counted = { runs: 0 };
      const { client, tools } = await connect(
        {
          tool: {
            definition,
            asks,
            async run(input, asked) {
              counted.runs += 1;
              return await run(input, counted.runs, asked);
            },
          },
        },
        { ...rest.connect, ...(rest.answer !== undefined && { answer: rest.answer }) },
      );
      const cached = cacheClient(client, cache, rules, options);
      const call = (args?: object, ...more: unknown[]) =>
        cached.callTool({ name: 'tool', ...(args !== undefined && { arguments: args }) }, ...more);
      return { counted, client, cached, cache, tools, call };
    }

    it('answers an equal call with an equal result, without the server', async () => {
      const { counted, call, client, cache } = await counting();
      const [first, again, other] = [await call({ a: 1 }), await call({ a: 1 }), await call({ a: 2 })];
      expect(again).toEqual(first);
      expect(other).not.toEqual(first);
      expect(counted.runs).toBe(2);
      // Field by field as the SDK gives it.
      expect(Object.keys(again as object)).toEqual(
        Object.keys((await client.callTool({ name: 'tool', arguments: { a: 1 } })) as object),
      );
      expect(cache.stats('docs/tool')).toMatchObject({ hits: 1, misses: 2, cacheErrors: 0 });
      expect(warnings).toEqual([]);
    });

    it('says in `_meta` where a result came from, where that is wanted', async () => {
      const { call } = await counting({
        options: { ...everybody, provenance: true },
        run: (_, runs) => ({ content: [], _meta: { runs } }),
      });
      const sourceOf = (result: unknown) => (result as { _meta: Record<string, unknown> })._meta;
      const both = await Promise.all([call({ a: 1 }), call({ a: 1 })]);
      expect(both.map((each) => sourceOf(each)['toolstash/answer'])).toEqual([
        { source: 'tool', ageMs: 0, isStale: false, key: expect.stringMatching(/^[0-9a-f]{32}$/) },
        { source: 'coalesced', ageMs: 0, isStale: false, key: expect.any(String) },
      ]);
      const again = sourceOf(await call({ a: 1 }));
      expect(again).toMatchObject({ runs: 1, 'toolstash/answer': { source: 'memory', isStale: false } });
    });

    it('says in `_meta` how far an approximate answer is', async () => {
      const options = { ...everybody, provenance: true };
      const query = (text: string) => ({ text, lang: 'en', limit: 3, page: 1 });
      const recorded = await tape.open('record');
      const { call } = await counting({ cache: recorded, options });
      await call(query('trains'));
      await recorded.close();
      const approximate = { tools: ['docs/tool'], maxDistance: 0.9 };
      const cache = await tape.open('replay', {}, { approximate });
      const replayed = await counting({ cache, options });
      expect(await replayed.call(query('planes'))).toMatchObject({
        _meta: {
          'toolstash/answer': {
            source: 'approximate',
            approximate: { distance: expect.any(Number), paths: [expect.stringMatching(/text$/)] },
          },
        },
      });
      expect(replayed.counted.runs).toBe(0);
    });

    it('runs a tool once for 64 who ask at once, over connections of their own', async () => {
      const cache = new CacheManager();
      let runs = 0;
      const clients = await Promise.all(
        Array.from({ length: 64 }, () => counting({ cache, run: () => `run ${++runs}` })),
      );
      const results = await Promise.all(clients.map(({ call }) => call({ a: 1 })));
      expect(runs).toBe(1);
      expect(new Set(results.map((each) => JSON.stringify(each))).size).toBe(1);
    });

    it('takes no arguments for empty ones, and leaves `_meta` out of the key', async () => {
      const { counted, call, cached } = await counting();
      await call();
      await call({});
      await cached.callTool({ name: 'tool', arguments: {}, _meta: { traceparent: 'a' } });
      expect(counted.runs).toBe(1);
    });

    it('calls tools without a rule, writes and opaque ones each time, and warns once of the first', async () => {
      for (const rules of [{}, { tool: 'write' }, { '*': 'opaque' }] as ToolRules[]) {
        warnings.length = 0;
        const { counted, call } = await counting({ rules });
        await call({});
        await call({});
        expect(counted.runs).toBe(2);
        await setImmediate();
        const isUnruled = Object.keys(rules).length === 0;
        expect(warnings).toEqual(isUnruled ? [expect.stringContaining('never cached: tool.')] : []);
      }
    });

    it('names a rule that is likely misspelt', async () => {
      const { call } = await counting({ rules: { tol: 'write', '*': {} } });
      await call({});
      expect(warnings).toEqual([expect.stringContaining('did you mean `tool`?')]);
    });

    it('takes the rule that forbids where two disagree, and says so once', async () => {
      const { counted, call } = await counting({ rules: { 't*': {}, '*l': 'write' } });
      await call({});
      await call({});
      expect(counted.runs).toBe(2);
      expect(warnings).toEqual([expect.stringContaining('say different things of the tool `tool`')]);
    });

    it('lets hints forbid, and never allow', async () => {
      for (const [hints, runs, warned] of [
        [{ readOnlyHint: true, idempotentHint: false }, 1, 0],
        [{ readOnlyHint: false }, 2, 1],
        [{ readOnlyHint: true, destructiveHint: true }, 2, 1],
        [{ idempotentHint: false }, 2, 1],
        [{}, 1, 0],
      ] as const) {
        warnings.length = 0;
        const { counted, call } = await counting({ definition: { annotations: hints } });
        await call({});
        await call({});
        expect([hints, counted.runs, warnings.length]).toEqual([hints, runs, warned]);
      }
      const readOnly = { annotations: { readOnlyHint: true, idempotentHint: true } };
      const { counted, call } = await counting({ rules: { '*': 'opaque' }, definition: readOnly });
      await call({});
      await call({});
      expect(counted.runs).toBe(2);
    });

    it('keeps servers, their versions and principals apart', async () => {
      const cache = new CacheManager();
      const calls = [
        await counting({ cache }),
        await counting({ cache, options: { server: 'others', principal: null } }),
        await counting({ cache, options: { server: 'docs', principal: 'ada' } }),
        await counting({ cache, options: { server: 'docs', principal: 'bob' } }),
        await counting({ cache, connect: { server: { name: 'docs', version: '2.0.0' } } }),
      ];
      for (const { call } of calls) await call({});
      for (const { call } of calls) await call({});
      expect(calls.map(({ counted }) => counted.runs)).toEqual([1, 1, 1, 1, 1]);
      const again = await counting({ cache, options: { server: 'docs', principal: () => 'ada' } });
      await again.call({});
      expect(again.counted.runs).toBe(0);
    });

    it('asks a function for the principal at each call, and caches nothing where it fails', async () => {
      let user: unknown = 'ada';
      const { counted, call } = await counting({
        options: { server: 'docs', principal: () => user as string },
      });
      await call({});
      user = 'bob';
      await call({});
      user = 7;
      await call({});
      await call({});
      expect(counted.runs).toBe(4);
      expect(warnings).toEqual([expect.stringContaining('got `7`')]);
    });

    it('shares nothing among connections whose server nobody names, and says so once', async () => {
      const cache = new CacheManager();
      const clients = [
        await counting({ cache, options: {} }),
        await counting({ cache, options: {} }),
        await counting({ cache, options: {} }),
      ];
      for (const { call } of [...clients, ...clients]) await call({});
      expect(clients.map(({ counted }) => counted.runs)).toEqual([1, 1, 1]);
      expect(warnings).toEqual([expect.stringContaining("cacheClient(client, cache, rules, { server: '…'")]);
    });

    it('takes a tool by another definition for another', async () => {
      const cache = new CacheManager();
      const before = await counting({ cache, definition: { description: 'in meters' } });
      const after = await counting({ cache, definition: { description: 'in feet' } });
      await before.call({});
      await after.call({});
      expect([before.counted.runs, after.counted.runs]).toEqual([1, 1]);
    });

    it('stores no error, and hands it out as it came', async () => {
      const { counted, call, client } = await counting({
        run: () => ({ content: [{ type: 'text', text: 'is down' }], isError: true }),
      });
      const result = await call({});
      expect(result).toEqual(await client.callTool({ name: 'tool', arguments: {} }));
      expect(await call({})).toMatchObject({ isError: true });
      expect(counted.runs).toBe(3);
    });

    it('fails for an unknown tool as the client does', async () => {
      const { cached, client } = await counting({ rules: { '*': {} } });
      const outcome = (each: SdkClient) =>
        each.callTool({ name: 'none', arguments: {} }).catch((error: { code: number }) => error.code);
      expect(await outcome(cached)).toEqual(await outcome(client));
      expect(await outcome(cached)).toEqual(await outcome(client));
    });

    it('neither stores nor shares the result of a call during which the server asked the user', async () => {
      const cache = new CacheManager();
      const asked = { asks: true, cache, run: (_: unknown, __: number, who: unknown) => `hello ${who}` };
      const ada = await counting({ ...asked, answer: 'ada' });
      const bob = await counting({ ...asked, answer: 'bob' });
      const text = async (call: Promise<unknown>) =>
        ((await call) as { content: { text: string }[] }).content[0]?.text;
      const atOnce = await Promise.all([ada, bob].map(({ call }) => text(call({}))));
      expect(atOnce).toEqual(['hello ada', 'hello bob']);
      expect([await text(bob.call({})), await text(ada.call({}))]).toEqual(['hello bob', 'hello ada']);
      expect(cache.stats('docs/tool')).toMatchObject({ hits: 0, entries: 0 });
    });

    it('leaves calls alone that carry more than a name and arguments', async () => {
      const { counted, cached, cache } = await counting();
      await cached.callTool({ name: 'tool', arguments: {} });
      const answers = { inputResponses: { who: { action: 'accept' } } };
      const more = [
        [{ name: 'tool', arguments: {}, ...answers }],
        [{ name: 'tool', arguments: {}, requestState: 'x' }],
        withOptions(sdk, { name: 'tool', arguments: {} }, { relatedRequestId: 1 }),
      ] as [object][];
      for (const each of more) await cached.callTool(...each).catch(() => undefined);
      expect(cache.stats('docs/tool')).toMatchObject({ hits: 0, misses: 1 });
      expect(counted.runs).toBeGreaterThan(1);
    });

    it("ends one caller's wait by its signal, and not the load of others", async () => {
      const { promise, open: resolve } = gate<string>();
      const { counted, cached, call } = await counting({ run: () => promise });
      const aborter = new AbortController();
      const params = { name: 'tool', arguments: {} };
      const aborted = cached.callTool(...withOptions(sdk, params, { signal: aborter.signal }));
      const waiting = call({});
      await expect.poll(() => counted.runs).toBe(1);
      aborter.abort();
      await expect(aborted).rejects.toThrow();
      resolve('done');
      expect(await waiting).toMatchObject({ content: [{ text: 'done' }] });
      expect(counted.runs).toBe(1);
    });

    it('does not fail who joined by the time limit of who began', async () => {
      const { promise, open: resolve } = gate<string>();
      const { counted, cached } = await counting({ run: (_, runs) => (runs === 1 ? promise : 'in time') });
      const limited = () =>
        cached.callTool(...withOptions(sdk, { name: 'tool', arguments: {} }, { timeout: 300 }));
      const began = limited().catch((error: { code: unknown }) => error.code);
      await expect.poll(() => counted.runs).toBe(1);
      expect(await limited()).toMatchObject({ content: [{ text: 'in time' }] });
      expect([-32001, 'REQUEST_TIMEOUT']).toContain(await began);
      resolve('too late');
    });

    it('lets nobody wait for a call with another time limit than his own', async () => {
      const { promise, open: resolve } = gate<string>();
      const { counted, cached, call } = await counting({
        run: (_, runs) => (runs === 1 ? promise : 'another call'),
      });
      const unlimited = call({});
      await expect.poll(() => counted.runs).toBe(1);
      const limited = withOptions(sdk, { name: 'tool', arguments: {} }, { timeout: 20_000 });
      expect(await cached.callTool(...limited)).toMatchObject({ content: [{ text: 'another call' }] });
      resolve('done');
      expect(await unlimited).toMatchObject({ content: [{ text: 'done' }] });
    });

    it('makes the key of what the rule says, and heeds its scope', async () => {
      const key = (input: { at?: number }) => Math.round(input.at ?? 0);
      const rules = { tool: { key, scope: 'ada' } } as ToolRules;
      const { counted, call, cache } = await counting({ rules });
      await call({ at: 1.1 });
      await call({ at: 0.9 });
      await call({ at: 2 });
      expect(counted.runs).toBe(2);
      const other = await counting({ cache, rules: { tool: { key, scope: 'bob' } } as ToolRules });
      await other.call({ at: 1 });
      expect(other.counted.runs).toBe(1);
    });

    it('runs the tool whatever becomes of the cache', async () => {
      const failing = new MapTier();
      failing.lookup = () => Promise.reject(new Error('disk is gone'));
      const broken = await counting({ cache: new CacheManager({ tiers: [failing] }) });
      expect(await broken.call({})).toMatchObject({ content: [{ text: '{} 1' }] });
      const closed = await counting();
      await closed.cache.close();
      expect(await closed.call({})).toMatchObject({ content: [{ text: '{} 1' }] });
    });

    it('runs tools uncached, and says so once, where they can not be listed', async () => {
      const { counted, call, client } = await counting();
      const { request } = client as unknown as LooseClient;
      Object.assign(client, {
        request(what: { method: string }, ...more: [object, object]) {
          if (what.method === 'tools/list') return Promise.reject(new Error('no lists today'));
          return request.call(client, what, ...more);
        },
      });
      await call({});
      await call({});
      expect(counted.runs).toBe(2);
      expect(warnings).toEqual([expect.stringContaining('no lists today')]);
    });

    it('is the client in all else', async () => {
      const { client, cached } = await counting();
      expect(cached).toBeInstanceOf(client.constructor);
      expect(cached.constructor).toBe(client.constructor);
      expect(await cached.listTools()).toEqual(await client.listTools());
      expect(cached.transport).toBe(client.transport);
      const onclose = () => undefined;
      Object.assign(cached, { onclose });
      expect(client).toHaveProperty('onclose', onclose);
    });

    it('takes changed arguments for no part of the call', async () => {
      const started = gate();
      const goOn = gate();
      const { counted, call } = await counting({
        async run(input, runs) {
          started.open();
          await goOn.promise;
          return `${JSON.stringify(input)} ${runs}`;
        },
      });
      const args = { a: 1 };
      const pending = call(args);
      await started.promise;
      args.a = 2;
      goOn.open();
      await pending;
      await call({ a: 1 });
      await call({ a: 2 });
      expect(counted.runs).toBe(3);
    });

    // By the later revision a server is made for each request here: it has no tools that could change meanwhile, and none
    // of its messages come by themselves.
    if (!isModern) {
      it('lists tools again when the server tells that they have changed, during a call too', async () => {
        const goOn = gate();
        const { counted, call, tools } = await counting({
          run: async (_, runs) => (runs === 2 ? goOn.promise.then(() => 'old') : `run ${runs}`),
        });
        await call({ a: 1 });
        const pending = call({ a: 2 });
        await expect.poll(() => counted.runs).toBe(2);
        tools['tool']?.update({ description: 'another' });
        goOn.open();
        await pending;
        await call({ a: 2 });
        await call({ a: 1 });
        await call({ a: 1 });
        expect(counted.runs).toBe(4);
      });

      it('lists tools again when its user has listed others', async () => {
        const { counted, call, cached, tools, client } = await counting();
        await call({});
        // Nobody tells of it.
        Object.assign(client.transport as object, { onmessage: silenced(client.transport) });
        tools['tool']?.update({ description: 'another' });
        await call({});
        expect(counted.runs).toBe(1);
        await cached.listTools();
        await call({});
        expect(counted.runs).toBe(2);
      });
    }

    it('passes an unconnected client on', async () => {
      const { client, cached } = await counting();
      await client.close();
      await expect(cached.callTool({ name: 'tool' })).rejects.toThrow();
    });
  });
}

/** The receiver of a transport, without notifications. */
function silenced(transport: unknown): unknown {
  const { onmessage } = transport as { onmessage(message: object, ...more: unknown[]): void };
  return (message: object, ...more: unknown[]) => {
    if ('id' in message) onmessage(message, ...more);
  };
}
