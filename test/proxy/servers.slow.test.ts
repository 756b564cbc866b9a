/** Public servers, with and without the proxy: clients of both versions of the SDK see the same. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/** Tools by their names, or rules in a config file. */
type Tools = string | object;

async function proxied(server: Server, tools: Tools): Promise<Server> {
  if (typeof tools === 'string')
    return [commandLine.script, 'proxy', '--tools', tools, '--', process.execPath, ...server];
  const config = join(folder, 'rules.json');
  const one = { command: process.execPath, args: server, tools };
  await writeFile(config, JSON.stringify({ servers: { one } }));
  return [commandLine.script, 'proxy', '--config', config];
}

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
  // One after the other: whenever the server changes its list, which drops what is stored, one of these is a hit.
  ...Array<Sent>(3).fill(call('echo', { message: 'é\u2028"\\' })),
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

  async function compared(
    server: Server,
    tools: Tools,
    requests: readonly Sent[],
    { env, prepare }: { env?: object; prepare?: () => Promise<void> } = {},
  ) {
    await prepare?.();
    const without = await outcomes(server, requests, env);
    await prepare?.();
    const { found } = await outcomes(await proxied(server, tools), requests, env);
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

  it('of server-budget-allocator, which has a page', async () => {
    const requests: Sent[] = [
      ['tools/list'],
      ['resources/list'],
      ['resources/templates/list'],
      ['resources/read', { uri: 'ui://budget-allocator/mcp-app.html' }],
      ['resources/read', { uri: 'ui://no-such-page' }],
      ['prompts/list'],
      call('get-budget-data'),
      call('get-budget-data', { unknown: 1 }),
      call('no-such-tool'),
    ];
    expect(await compared(servers.budgetAllocator, 'get-*', requests)).toBeGreaterThan(0);
  });

  it('of git-mcp-server, by what its tools read and write', async () => {
    const repository = join(folder, 'repository');
    const date = '2026-01-01T00:00:00Z';
    const env = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, MCP_LOG_LEVEL: 'silent' };
    const git = (...args: string[]) =>
      promisify(execFile)('git', ['-C', repository, ...args], { env: { ...process.env, ...env } });
    const prepare = async () => {
      await rm(repository, { recursive: true, force: true });
      await mkdir(repository);
      await git('init', '-q', '-b', 'main');
      await git('config', 'user.name', 'ada');
      await git('config', 'user.email', 'ada@example.com');
      for (const file of ['a.txt', 'b.txt']) await writeFile(join(repository, file), 'one\n');
      await git('add', '.');
      await git('commit', '-qm', 'first');
      await writeFile(join(repository, 'a.txt'), 'two\n');
    };
    const reads = { effect: { reads: ['git'] } };
    const writes = { effect: { writes: ['git'] } };
    const tools = {
      ...{ git_status: reads, git_log: reads, git_show: reads, git_diff: reads, git_blame: reads },
      ...{ git_set_working_dir: writes, git_add: writes, git_commit: writes, git_tag: writes },
      git_wrapup_instructions: {},
    };
    const looks = [
      call('git_status', {}),
      call('git_status', {}),
      call('git_log', {}),
      call('git_log', { maxCount: 1 }),
      call('git_diff', {}),
      call('git_show', { object: 'HEAD' }),
      call('git_show', { object: 'none' }),
      // Of what is not committed it gives the time of the call.
      call('git_blame', { filePath: 'b.txt' }),
      call('git_blame', { file: 'a.txt' }),
    ];
    const requests: Sent[] = [
      ...([['tools/list'], ['resources/list'], ['resources/templates/list'], ['prompts/list']] as Sent[]),
      ['prompts/get', { name: 'git_wrapup', arguments: { createTag: 'false' } }],
      ['resources/read', { uri: 'git://working-directory' }],
      call('git_status', {}),
      call('git_set_working_dir', { path: repository }),
      ['resources/read', { uri: 'git://working-directory' }],
      ...looks,
      call('git_add', { paths: ['a.txt'] }),
      ...looks,
      call('git_commit', { message: 'second' }),
      ...looks,
      call('git_tag', { mode: 'create', tagName: 'v1' }),
      ...looks,
    ];
    expect(await compared(servers.git, tools, requests, { env, prepare })).toBeGreaterThan(5);
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
      expect(await compared(servers.memory, 'create_*,delete_*', memory, { env })).toBe(0);
      expect(
        await compared(servers.sequentialThinking, 'no_such', [call('sequentialthinking', thought)]),
      ).toBe(0);
    });

  it('of a server of ours that asks its user', async () => {
    const requests = [call('greet'), call('change', { unit: 'feet' })];
    const { found } = await outcomes(await proxied(servers.own('meters'), 'greet'), requests);
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
