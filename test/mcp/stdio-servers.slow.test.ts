/** Cached clients of public servers, which run as child processes: the same answers, from fewer calls. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type ToolRules } from '../../src/index.js';
import { cacheClient } from '../../src/mcp/index.js';
import type { SdkClient } from './sdk.js';
import { closeAll, type Server, servers, stdio1, stdio2, stdio2Modern } from './stdio.js';

type Call = readonly [name: string, args?: object];

let folder: string;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-mcp-'));
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => warnings.push(String(warning)));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await closeAll();
  await rm(folder, { recursive: true });
});

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text;

describe.each([stdio1, stdio2, stdio2Modern])('a cached client of version $name', (sdk) => {
  async function caching(server: Server, rules: ToolRules, cache = new CacheManager(), hasRoots = true) {
    const opened = await sdk.open(server, { hasRoots });
    const cached = cacheClient(opened.client, cache, rules, { server: 'tested', principal: null });
    return { ...opened, plain: opened.client, client: cached, cache };
  }

  const outcomes = async (client: SdkClient, calls: readonly Call[]): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (const [name, args] of calls)
      found.push(await client.callTool({ name, ...(args && { arguments: args }) }).catch(String));
    return found;
  };

  /** Makes the calls twice, without a cache and with one, each with a server of its own. */
  async function compared(calls: readonly Call[], server: Server, rules: ToolRules) {
    const twice = [...calls, ...calls];
    const without = await sdk.open(server);
    const expected = await outcomes(without.client, twice);
    const withCache = await caching(server, rules);
    expect(await outcomes(withCache.client, twice)).toEqual(expected);
    return { upstream: withCache.upstream, before: without.upstream, cache: withCache.cache, expected };
  }

  it('of server-everything gets the same answers, and asks for each but once', async () => {
    const calls: Call[] = [
      ['echo', { message: 'a' }],
      ['echo', { message: 'b' }],
      ['get-sum', { a: 1, b: 2 }],
      ['get-structured-content', { location: 'Chicago' }],
      ['get-annotated-message', { messageType: 'error', includeImage: true }],
      ['get-resource-links', { count: 3 }],
      ['get-tiny-image'],
      // Wrong arguments.
      ['get-sum', { a: 'x' }],
    ];
    const { upstream, before, expected } = await compared(calls, servers.everything, {
      'get-*': { ttl: '1h' },
      echo: {},
      '*': 'opaque',
    });
    expect(JSON.stringify(expected.at(-1))).toContain('"isError":true');
    expect(Object.values(before)).toEqual([4, 4, 2, 2, 2, 2]);
    expect(upstream).toEqual({
      ...{ echo: 2, 'get-sum': 3, 'get-structured-content': 1, 'get-annotated-message': 1 },
      ...{ 'get-resource-links': 1, 'get-tiny-image': 1 },
    });
  });

  it('believes no hint: read-only and idempotent tools whose answers differ run each time', async () => {
    const thought = { thought: 'so', nextThoughtNeeded: true, thoughtNumber: 1, totalThoughts: 2 };
    const rules: ToolRules = {};
    const { upstream, expected } = await compared(
      [['sequentialthinking', thought]],
      servers.sequentialThinking,
      rules,
    );
    expect(textOf(expected[0])).not.toBe(textOf(expected[1]));
    expect(upstream).toEqual({ sequentialthinking: 2 });
    expect(warnings).toEqual([expect.stringContaining('never cached: sequentialthinking.')]);
    const everything = await compared([['get-env']], servers.everything, { echo: {} });
    expect(everything.upstream).toEqual({ 'get-env': 2 });
  });

  it('lets the hints of server-memory forbid what a rule allows', async () => {
    const entity = { name: 'ada', entityType: 'person', observations: ['wrote'] };
    const calls: Call[] = [
      ['create_entities', { entities: [entity] }],
      ['add_observations', { observations: [{ entityName: 'ada', contents: ['read'] }] }],
      ['read_graph'],
      ['delete_entities', { entityNames: ['ada'] }],
    ];
    let at = 0;
    const own = async () => {
      const env = { MEMORY_FILE_PATH: join(folder, `memory-${++at}.jsonl`) };
      return sdk.open(servers.memory, { env });
    };
    const twice = [...calls, ...calls];
    const expected = await outcomes((await own()).client, twice);
    const { client, upstream } = await own();
    const rules: ToolRules = { read_graph: 'opaque', '*': { ttl: '1h' } };
    const cached = cacheClient(client, new CacheManager(), rules);
    expect(await outcomes(cached, twice)).toEqual(expected);
    expect(upstream).toEqual({ create_entities: 2, add_observations: 2, read_graph: 2, delete_entities: 2 });
  });

  it('of server-filesystem asks once for 64 who read at once, over processes of their own', async () => {
    const path = join(folder, 'a.txt');
    await writeFile(path, 'what is in it');
    const cache = new CacheManager();
    const rules: ToolRules = { 'read_*': {}, '*': 'opaque' };
    // Without roots: what a server answers that has asked for them is for one client alone.
    const four = await Promise.all(
      Array.from({ length: 4 }, () => caching(servers.filesystem(folder), rules, cache, false)),
    );
    const calls = Array.from({ length: 64 }, (_, n) =>
      four[n % 4]!.client.callTool({ name: 'read_text_file', arguments: { path } }),
    );
    const results = await Promise.all(calls);
    const plain = await four[0]!.plain.callTool({ name: 'read_text_file', arguments: { path } });
    expect(results).toEqual(Array(64).fill(plain));
    const asked = four.map(({ upstream }) => upstream['read_text_file'] ?? 0);
    expect(asked.reduce((sum, each) => sum + each)).toBe(2);
  });

  it('stores no error, and sees the file once it is there', async () => {
    const { client, upstream } = await caching(servers.filesystem(folder), { '*': { ttl: '1h' } });
    const path = join(folder, 'late.txt');
    const read: Call = ['read_text_file', { path }];
    const write: Call = ['write_file', { path, content: 'there' }];
    const [missing, written, found, again] = await outcomes(client, [read, write, read, read]);
    expect(missing).toMatchObject({ isError: true });
    expect(written).not.toHaveProperty('isError');
    expect([textOf(found), textOf(again)]).toEqual(['there', 'there']);
    await outcomes(client, [write]);
    expect(upstream).toEqual({ read_text_file: 2, write_file: 2 });
  });

  it('stores nothing of tasks, nor of calls during which the server asks the user or the model', async () => {
    const calls: Call[] = [
      ['trigger-sampling-request', { prompt: 'say', maxTokens: 5 }],
      ['trigger-elicitation-request'],
      ['simulate-research-query', { topic: 'mvcc' }],
    ];
    const { upstream, before, cache } = await compared(calls, servers.everything, { '*': { ttl: '1h' } });
    expect(upstream).toEqual(before);
    expect(cache.stats()).toMatchObject({ hits: 0, entries: 0 });
  });
});
