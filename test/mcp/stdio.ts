/** Servers as child processes, and clients of both versions of the SDK that speak with them over stdio. */

import { fileURLToPath } from 'node:url';
import { Client as Client2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { expect } from 'vitest';
import { librariesOf } from '../helper/libraries.js';
import type { SdkClient } from './sdk.js';

const load = await librariesOf(new URL('servers/', import.meta.url));

/** A program, and what it is told. */
export type Server = readonly [path: string, ...args: readonly string[]];

const published = (name: string, ...args: string[]): Server => [
  load.resolve(`@modelcontextprotocol/server-${name}/dist/index.js`),
  ...args,
];

/** The program of a package that exports something else. */
function installed(name: string): string {
  return fileURLToPath(new URL(`servers/node_modules/${name}/dist/index.js`, import.meta.url));
}

/** Servers from npm, and one of our own. */
export const servers = {
  everything: published('everything', 'stdio'),
  sequentialThinking: published('sequential-thinking'),
  memory: published('memory'),
  filesystem: (root: string) => published('filesystem', root),
  /** By version 2 of the SDK, with a page of its own (MCP Apps). */
  budgetAllocator: [installed('@modelcontextprotocol/server-budget-allocator'), '--stdio'] as Server,
  /** By others than the authors of the protocol. */
  git: [installed('@cyanheads/git-mcp-server')] as Server,
  own: (unit: string): Server => [fileURLToPath(new URL('servers/own-server.mjs', import.meta.url)), unit],
};

/** What the user, the model and the program answer when a server asks. */
export interface Answers {
  elicitation(): Promise<object>;
}

/** A client whose server is a process of its own. */
export interface StdioClient {
  readonly client: SdkClient;
  readonly pid: number;
  /** How often each tool was called over the wire. */
  readonly upstream: Readonly<Record<string, number>>;
}

/** How a client is opened. */
export interface OpenOptions {
  readonly env?: Record<string, string>;
  readonly answers?: Answers;
  /** Whether it offers its roots: who is asked for them shares nothing. @default true */
  readonly hasRoots?: boolean;
}

/** One version of the client. */
export interface StdioSdk {
  readonly name: string;
  open(server: Server, options?: OpenOptions): Promise<StdioClient>;
}

interface Transport {
  readonly pid: number | null;
  send(message: unknown, ...more: unknown[]): Promise<void>;
}

interface Classes {
  readonly Client: new (
    info: object,
    options: object,
  ) => SdkClient & { connect(transport: Transport): Promise<void> };
  readonly Stdio: new (program: object) => Transport;
  /** What `setRequestHandler` takes for each method. */
  readonly methodOf: (method: string) => unknown;
  readonly options?: object;
}

const capabilities = { elicitation: {}, sampling: {}, roots: { listChanged: true } };

const accepted: Answers = { elicitation: async () => ({ action: 'accept', content: { name: 'ada' } }) };

function stdioSdk(name: string, { Client, Stdio, methodOf, options }: Classes): StdioSdk {
  return {
    name,
    async open([path, ...args], { env = {}, answers = accepted, hasRoots = true } = {}) {
      const transport = new Stdio({
        ...{ command: process.execPath, args: [path, ...args], stderr: 'ignore' },
        env: { PATH: process.env['PATH'] ?? '', ...env },
      });
      const { roots, ...others } = capabilities;
      const offered = { ...others, ...(hasRoots && { roots }) };
      const client = new Client({ name: 'tests', version: '1' }, { capabilities: offered, ...options });
      client.setRequestHandler(methodOf('elicitation/create'), () => answers.elicitation());
      client.setRequestHandler(methodOf('sampling/createMessage'), async () => ({
        ...{ role: 'assistant', model: 'scripted', content: { type: 'text', text: 'sampled' } },
      }));
      let rootsAsked = 0;
      if (hasRoots)
        client.setRequestHandler(methodOf('roots/list'), async () => {
          rootsAsked += 1;
          return { roots: [{ uri: 'file:///tmp' }] };
        });
      const upstream: Record<string, number> = {};
      const send = transport.send.bind(transport);
      transport.send = (message, ...more) => {
        const { method, params } = message as { method?: string; params?: { name: string } };
        if (method === 'tools/call' && params) upstream[params.name] = (upstream[params.name] ?? 0) + 1;
        return send(message, ...more);
      };
      await client.connect(transport);
      // A while after it was opened this server changes its list of tools and asks for the roots. The results of calls
      // that are under way by then are rightly not stored.
      if (path === servers.everything[0]) await expect.poll(() => rootsAsked).toBeGreaterThan(0);
      const { pid } = transport;
      if (pid === null) throw new Error('Expected a process');
      const opened = { client, pid, upstream };
      open.push(opened);
      return opened;
    },
  };
}

const types = load('@modelcontextprotocol/sdk/types.js');
const schemas: Readonly<Record<string, unknown>> = {
  'elicitation/create': types.ElicitRequestSchema,
  'sampling/createMessage': types.CreateMessageRequestSchema,
  'roots/list': types.ListRootsRequestSchema,
};

const version2 = { Client: Client2 as never, Stdio: Stdio2 as never, methodOf: (method: string) => method };

export const stdio1 = stdioSdk('1', {
  Client: load('@modelcontextprotocol/sdk/client/index.js').Client,
  Stdio: load('@modelcontextprotocol/sdk/client/stdio.js').StdioClientTransport,
  methodOf: (method) => schemas[method],
});
export const stdio2 = stdioSdk('2', version2);
/** Speaks the revision 2026-07-28 with servers that do. By it servers tell of changes to those alone who listen. */
export const stdio2Modern = stdioSdk('2 by 2026-07-28', {
  ...version2,
  options: {
    versionNegotiation: { mode: 'auto' },
    listChanged: { tools: { onChanged: () => undefined } },
  },
});

/** Whether a process is still there. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const open: StdioClient[] = [];

/** Closes all clients, and makes sure that none of their servers stays behind. */
export async function closeAll(): Promise<void> {
  const clients = open.splice(0);
  await Promise.all(clients.map(({ client }) => client.close()));
  for (const { pid } of clients) await expect.poll(() => isRunning(pid), { timeout: 30_000 }).toBe(false);
}
