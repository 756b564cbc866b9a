/** Versions of the MCP SDK behind one face: real servers and clients, connected in one process. */

import {
  Client as Client2,
  InMemoryTransport as Memory2,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  McpServer as Server2,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { McpClient } from '../../src/mcp/index.js';

/** What a server is made with: its tools, by the functions that run them. */
export interface ToolDefinition {
  readonly definition?: Readonly<Record<string, unknown>>;
  /** Whether it asks the user first. */
  readonly asks?: boolean;
  run(input: Readonly<Record<string, unknown>>, asked: string | undefined): unknown;
}
export type Tools = Readonly<Record<string, ToolDefinition>>;

/** A tool that can be changed; its server tells of it. */
interface RegisteredTool {
  update(changes: object): void;
}

/** A connected pair. */
export interface Connected {
  readonly client: SdkClient;
  readonly tools: Readonly<Record<string, RegisteredTool>>;
}

/** What tests use of a client. */
export interface SdkClient extends McpClient {
  callTool(params: object, ...more: unknown[]): Promise<unknown>;
  listTools(params?: object): Promise<{ tools: { name: string }[] }>;
  close(): Promise<void>;
  setRequestHandler(...args: unknown[]): void;
}

export interface ConnectOptions {
  /** What the user answers when asked. */
  readonly answer?: string;
  readonly server?: { name: string; version: string };
}

/** One version, speaking one revision of the protocol. */
export interface Sdk {
  readonly name: string;
  connect(tools: Tools, options?: ConnectOptions): Promise<Connected>;
}

/** The arguments of `callTool` with options, by version. */
export const withOptions = (sdk: Sdk, params: object, options: object): [object, ...unknown[]] =>
  sdk.name.startsWith('1') ? [params, undefined, options] : [params, options];

type AnyServer = { registerTool(name: string, definition: object, handler: unknown): RegisteredTool };

const question = {
  message: 'who?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
} as const;

const result = (value: unknown) =>
  typeof value === 'string' ? { content: [{ type: 'text', text: value }] } : value;

function register(server: AnyServer, tools: Tools, ask: (context: never) => unknown): Connected['tools'] {
  return Object.fromEntries(
    Object.entries(tools).map(([name, { definition, asks, run }]) => {
      const handler = async (input: Record<string, unknown>, context: never) => {
        if (!asks) return result(await run(input, undefined));
        const answer = await ask(context);
        return typeof answer === 'string' ? result(await run(input, answer)) : answer;
      };
      const all = { inputSchema: z.looseObject({}), ...definition };
      return [name, server.registerTool(name, all, handler)];
    }),
  );
}

/** What version 1 and 2 have alike. */
interface Classes {
  readonly Server: new (
    info: object,
    options?: object,
  ) => AnyServer & {
    connect(transport: unknown): Promise<void>;
    readonly server: { elicitInput(question: object): Promise<{ content?: { name?: string } }> };
  };
  readonly Client: new (
    info: object,
    options?: object,
  ) => SdkClient & {
    connect(transport: unknown): Promise<void>;
  };
  readonly Memory: { createLinkedPair(): [unknown, unknown] };
  /** What `setRequestHandler` takes for elicitation. */
  readonly elicitation: unknown;
}

const info = { name: 'docs', version: '1.0.0' };
const capabilities = { elicitation: {} };

function inMemory(name: string, { Server, Client, Memory, elicitation }: Classes): Sdk {
  return {
    name,
    async connect(tools, { answer = 'nobody', server: own = info } = {}) {
      const server = new Server(own, { capabilities: { tools: { listChanged: true } } });
      const registered = register(server, tools, async () => {
        const { content } = await server.server.elicitInput(question);
        return content?.name;
      });
      const client = new Client({ name: 'tests', version: '1' }, { capabilities });
      client.setRequestHandler(elicitation, () => ({ action: 'accept', content: { name: answer } }));
      const [one, other] = Memory.createLinkedPair();
      await Promise.all([server.connect(one), client.connect(other)]);
      return { client, tools: registered };
    },
  };
}

/** Version 2 as it speaks by itself. */
export const sdk2 = inMemory('2', {
  Server: Server2 as never,
  Client: Client2 as never,
  Memory: Memory2,
  elicitation: 'elicitation/create',
});

/** Version 2 by the revision 2026-07-28, in which a server answers with what it wants to be told. */
export const sdk2Modern: Sdk = {
  name: '2 by 2026-07-28',
  async connect(tools, { answer = 'nobody', server: own = info } = {}) {
    const handler = createMcpHandler(() => {
      const server = new Server2(own);
      register(server as never, tools, (context: { mcpReq: { inputResponses?: unknown } }) => {
        const answered = acceptedContent(
          context.mcpReq.inputResponses as never,
          'who',
          z.object({ name: z.string() }),
        );
        return answered?.name ?? inputRequired({ inputRequests: { who: inputRequired.elicit(question) } });
      });
      return server;
    });
    const client = new Client2(
      { name: 'tests', version: '1' },
      { capabilities, versionNegotiation: { mode: 'auto' } },
    );
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: answer } }));
    const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
      fetch: (url, init) => handler.fetch(new Request(url, init)),
    });
    await client.connect(transport);
    return { client: client as unknown as SdkClient, tools: {} };
  },
};

/** Version 1, from where it is installed. */
export function sdk1(load: NodeJS.Require): Sdk {
  const { McpServer } = load('@modelcontextprotocol/sdk/server/mcp.js');
  const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
  const { InMemoryTransport } = load('@modelcontextprotocol/sdk/inMemory.js');
  const { ElicitRequestSchema } = load('@modelcontextprotocol/sdk/types.js');
  return inMemory('1', {
    Server: McpServer,
    Client,
    Memory: InMemoryTransport,
    elicitation: ElicitRequestSchema,
  });
}
