/** Public servers, with and without the proxy: clients of both versions of the SDK see the same. */

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltCommandLine, buildCommandLine } from '../cli/built-command-line.js';
import { closeAll, type Server, servers, stdio1, stdio2, stdio2Modern } from '../mcp/stdio.js';
import { endAll, said, start } from './proxy-process.js';

let commandLine: BuiltCommandLine;
let folder: string;

beforeAll(async () => {
  commandLine = await buildCommandLine();
});
afterAll(() => commandLine.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
});
afterEach(async () => {
  await closeAll();
  await rm(folder, { recursive: true });
});

type Sent = readonly [method: string, params?: object];
const call = (name: string, args?: object): Sent => [
  'tools/call',
  { name, ...(args && { arguments: args }) },
];

const proxied = (server: Server, tools: string): Server => [
  commandLine.script,
  ...['proxy', '--tools', tools, '--', process.execPath],
  ...server,
];

/** A schema of either version of the SDK. */
const anything = {
  safeParse: (data: unknown) => ({ success: true, data }),
  '~standard': { version: 1, vendor: 'tests', validate: (value: unknown) => ({ value }) },
} as never;

/** Each server twice, so that the second time there is something stored. */
const everything: readonly Sent[] = [
  ['tools/list'],
  ['resources/list'],
  ['resources/templates/list'],
  ['resources/read', { uri: 'demo://resource/static/document/architecture.md' }],
  ['prompts/list'],
  ['prompts/get', { name: 'args-prompt', arguments: { city: 'Lisbon' } }],
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'E' } },
  ],
  ['vendor/unknown'],
  call('no-such-tool'),
  call('echo', { message: 'é\u2028"\\' }),
  call('get-sum', { a: 1, b: 2 }),
  call('get-sum', { a: 'x' }),
  call('get-structured-content', { location: 'Chicago' }),
  call('get-annotated-message', { messageType: 'error', includeImage: true }),
  call('get-resource-links', { count: 3 }),
  call('get-tiny-image'),
  call('trigger-sampling-request', { prompt: 'say', maxTokens: 5 }),
  call('trigger-elicitation-request'),
];
const thought = { thought: 'so', nextThoughtNeeded: true, thoughtNumber: 1, totalThoughts: 2 };

/** What the proxy adds to answers of cached tools. */
function withoutProvenance(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('_meta' in answer)) return answer;
  const { _meta, ...result } = answer;
  const { 'toolstash/answer': _, ...meta } = _meta as Record<string, unknown>;
  return Object.keys(meta).length === 0 ? result : { ...result, _meta: meta };
}

describe.each([stdio1, stdio2, stdio2Modern])('a client of version $name', (sdk) => {
  async function outcomes(server: Server, requests: readonly Sent[], env = {}) {
    const { client, upstream } = await sdk.open(server, { env });
    const found: unknown[] = [];
    for (const [method, params = {}] of [...requests, ...requests]) {
      const answer = client.request({ method, params } as never, anything, {} as never) as Promise<unknown>;
      found.push(await answer.catch(String));
    }
    await closeAll();
    return { found, upstream };
  }

  async function compared(server: Server, tools: string, requests: readonly Sent[], env?: object) {
    const without = await outcomes(server, requests, env);
    const { found } = await outcomes(proxied(server, tools), requests, env);
    expect(found.map(withoutProvenance)).toEqual(without.found);
    return JSON.stringify(found).split('"source":"memory"').length - 1;
  }

  it('of server-everything', async () => {
    // A while after it was opened it changes its list of tools and asks for the roots: what was stored by then is not for later calls.
    expect(await compared(servers.everything, 'get-*,echo,trigger-*', everything)).toBeGreaterThan(0);
  });

  it('of server-filesystem', async () => {
    const path = join(folder, 'a.txt');
    await Promise.all([path, join(folder, 'b.txt')].map((each) => writeFile(each, 'what is in it')));
    const requests = [
      ['tools/list'],
      call('read_text_file', { path }),
      call('read_text_file', { path: join(folder, 'none') }),
      call('list_directory', { path: folder }),
      call('write_file', { path: join(folder, 'b.txt'), content: 'b' }),
    ] as const;
    expect(await compared(servers.filesystem(folder), 'read_*,write_file', requests)).toBe(1);
  });

  if (sdk === stdio1)
    it('of server-memory and server-sequential-thinking', async () => {
      const entity = { name: 'ada', entityType: 'person', observations: ['wrote'] };
      const memory = [
        call('create_entities', { entities: [entity] }),
        call('read_graph'),
        call('delete_entities', { entityNames: ['ada'] }),
      ];
      const env = { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') };
      expect(await compared(servers.memory, 'create_*,delete_*', memory, env)).toBe(0);
      expect(
        await compared(servers.sequentialThinking, 'no_such', [call('sequentialthinking', thought)]),
      ).toBe(0);
    });

  it('of a server of ours that asks its user', async () => {
    const requests = [call('greet'), call('change', { unit: 'feet' })];
    const { found } = await outcomes(proxied(servers.own('meters'), 'greet'), requests);
    expect(JSON.stringify(found[2])).toContain('hello ada');
    expect(JSON.stringify(found)).not.toContain('"source":"memory"');
  });
});

describe('over HTTP', () => {
  afterEach(endAll);

  async function outcomes(url: string, requests: readonly Sent[]) {
    const client = new Client(
      { name: 'tests', version: '1' },
      { capabilities: { elicitation: {}, sampling: {} } },
    );
    client.setRequestHandler('elicitation/create', async () => ({
      action: 'accept',
      content: { name: 'ada' },
    }));
    client.setRequestHandler('sampling/createMessage', async () => ({
      ...{
        role: 'assistant' as const,
        model: 'scripted',
        content: { type: 'text' as const, text: 'sampled' },
      },
    }));
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    const found: unknown[] = [];
    for (const [method, params = {}] of [...requests, ...requests])
      found.push(await client.request({ method, params } as never, anything, {} as never).catch(String));
    await client.close();
    return found;
  }

  it('server-everything is the same behind one proxy on HTTP, and behind one that speaks HTTP for a program', async () => {
    const port = await freePort();
    const [path] = servers.everything;
    const everythingOf = start([path, 'streamableHttp'], { PORT: `${port}` });
    await said(everythingOf, /(listening on port)/i);
    const url = `http://localhost:${port}/mcp`;
    const expected = await outcomes(url, everything);
    const config = join(folder, 'proxy.json');
    const listen = { port: 0 };
    const tools = { 'get-*': {}, echo: {}, 'trigger-*': {} };
    for (const server of [{ url }, { command: process.execPath, args: [path, 'stdio'] }]) {
      await writeFile(config, JSON.stringify({ servers: { everything: { ...server, tools } }, listen }));
      const proxy = start([commandLine.script, 'proxy', '--config', config]);
      const found = await outcomes(await said(proxy, /listening on (\S+)/), everything);
      expect(found.map(withoutProvenance)).toEqual(expected);
      expect(JSON.stringify(found)).toContain('"source":"memory"');
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
