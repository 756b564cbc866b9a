/** The cached tools of a session: the client of the SDK that `cacheClient` is made for, played on the wire. */

import type { CacheManager, ToolRules } from '../index.js';
import { type CacheAnswer, CachedCalls } from '../mcp/cached-calls.js';
import type { CacheClientOptions } from '../mcp/client-options.js';
import { watchRoots } from '../mcp/connection.js';
import { isRecord, type LooseClient, type McpTransport } from '../mcp/mcp-client.js';
import { type CallShape, callShape } from '../mcp/tool-call.js';
import { changesNothing, nothingDeclared, type ToolEffects } from '../rollout/tool-effects.js';
import { jsonText } from './json-text.js';
import { harmless, isDeeper, kindOf, type Message, recordIn, ServerLostError } from './message.js';
import { type ResolvedRollouts, rolloutOf } from './rollout-names.js';
import type { ToClient } from './server-link.js';
import type { SessionWorlds } from './session-worlds.js';
import type { Change, DeclaredTool } from './tool-world.js';

/** Sends a request of which only this side knows, and gives its result; progress goes to `to` while there is a token. */
export type Ask = (
  message: Message,
  how: { readonly signal: AbortSignal; token(): unknown; readonly to: ToClient },
) => Promise<unknown>;

/** Who calls a tool. */
export interface Asking {
  readonly signal: AbortSignal;
  /** Whether an answer is waited for still. */
  isOpen(): boolean;
  readonly to: ToClient;
}

/** What it is made from. */
export interface CachedServerInit {
  readonly cache: CacheManager;
  readonly rules: ToolRules;
  readonly options: CacheClientOptions;
  readonly ask: Ask;
  /** `undefined`: no answer depends on what was done before. */
  readonly tracking: Tracking | undefined;
}

/** What tools read and change, and what has happened so far. */
export interface Tracking {
  readonly server: string;
  readonly effects: ToolEffects;
  readonly rollouts: ResolvedRollouts;
  readonly worlds: SessionWorlds;
}

/** Under this the options of a call say how it came here. */
const asked = Symbol('asked');

interface CallOptions {
  readonly signal: AbortSignal;
  readonly [asked]: Omit<Asking, 'signal'> & {
    readonly message: Message;
    /** How often the server had gone away by then. */
    readonly losses: number;
  };
}

/** Arguments that nest deeper are none that a tool takes, and their keys take long. */
const deepest = 200;

/** What every request says of the client from the revision 2026-07-28 on. */
const envelope = ['protocolVersion', 'clientInfo', 'clientCapabilities'].map(
  (name) => `io.modelcontextprotocol/${name}`,
);
const serverInfo = 'io.modelcontextprotocol/serverInfo';

/** A server as `CachedCalls` knows it. */
export class CachedServer {
  readonly #calls: CachedCalls;
  readonly #ask: Ask;
  readonly #tracking: Tracking | undefined;
  /** How often the server went away, and how that was told the last time. */
  #losses = 0;
  #lost: ServerLostError | undefined;
  /** The pages of the last list of tools, by cursor: while the server is away they are as they were. */
  readonly #pages = new Map<unknown, unknown>();
  #transport: McpTransport = {};
  #info: { readonly name: string; readonly version: string } | undefined;
  #protocol: string | undefined;
  #envelope: Readonly<Record<string, unknown>> = {};

  constructor({ cache, rules, options, ask, tracking }: CachedServerInit) {
    this.#ask = ask;
    this.#tracking = tracking;
    const server = this;
    const client: LooseClient = {
      callTool: (params, given) => this.#callTool(params, given as CallOptions),
      listTools: async () => ({}),
      request: (request, _, given) => this.#request(request, given),
      getServerVersion: () => this.#info,
      getNegotiatedProtocolVersion: () => this.#protocol,
      get transport() {
        return server.#transport;
      },
    };
    this.#calls = new CachedCalls({
      ...{ client, cache, rules, options: { ...options, provenance: true } },
      naming: '`"identity": "…", "principal": …`',
      ...(tracking && {
        placeOf: ({ name, args, given: [params], options }) => {
          const { rollout } = (options as unknown as CallOptions)[asked].to;
          const tool = this.#declared(tracking, name);
          return tracking.worlds.placeOf(tool, args, rolloutOf(tracking.rollouts, params, rollout));
        },
      }),
    });
  }

  /** A message that is a call of a tool which a rule caches. */
  callIn({ value }: Message): CallShape | undefined {
    if (value['method'] !== 'tools/call' || kindOf(value) !== 'request') return undefined;
    const shape = callShape([value['params']]);
    const isTaken = shape && this.#calls.hasRuleFor(shape.name) && !isDeeper(shape.args, deepest);
    return isTaken === true ? shape : undefined;
  }

  /** At once where memory has it. `undefined`: it is not cached after all, and was not made. */
  answer(
    message: Message,
    { name, args, at }: CallShape,
    asking: Asking,
  ): CacheAnswer | Promise<CacheAnswer> {
    this.heard(message.value);
    const { signal, isOpen, to } = asking;
    const options: CallOptions = { signal, [asked]: { message, isOpen, to, losses: this.#losses } };
    const given = [message.value['params'], options];
    return this.#calls.answer({ name, args, given, at, options: options as object as CallShape['options'] });
  }

  /** Notes a message that is about to be relayed, if it may change something. */
  change({ value: { method, params } }: Message, { rollout }: ToClient): Change | undefined {
    const tracking = this.#tracking;
    if (tracking === undefined || harmless.has(method as string)) return undefined;
    const name = rolloutOf(tracking.rollouts, params, rollout);
    const called = method === 'tools/call' ? recordIn({ params }, 'params') : undefined;
    if (typeof called?.['name'] !== 'string') return tracking.worlds.begin(name);
    const tool = this.#declared(tracking, called['name']);
    if (!changesNothing(tool.declaration)) return tracking.worlds.begin(name, tool, called);
    // What the server has not listed yet it may say of that it writes.
    return this.#calls.isUnvetoed(tool.name) === true ? undefined : tracking.worlds.begin(name);
  }

  #declared({ server, effects }: Tracking, name: string): DeclaredTool {
    try {
      return { server, name, effects, declaration: effects.for(name) };
    } catch {
      // Two patterns disagree on it, which the cache tells.
      return { server, name, effects, declaration: nothingDeclared };
    }
  }

  /** The client has said something. */
  heard({ method, params }: Message['value']): void {
    // Its server will ask for them, and may answer otherwise from now on.
    if (method === 'notifications/roots/list_changed')
      this.#transport.onmessage?.({ method: 'roots/list', id: 0 });
    const meta = recordIn(params, '_meta');
    const [version] = envelope;
    if (typeof meta[version as string] !== 'string') return;
    this.#envelope = Object.fromEntries(envelope.map((name) => [name, meta[name]]));
  }

  /** The server has said something. */
  said(value: Message['value']): void {
    this.#transport.onmessage?.(value);
  }

  /** The server has answered a request, of the client's or our own. */
  answered(method: string, result: unknown, isOfClient: boolean): void {
    if (!isRecord(result)) return;
    if (method === 'initialize' && typeof result['protocolVersion'] === 'string')
      this.#protocol = result['protocolVersion'];
    const info = result['serverInfo'] ?? recordIn(result, '_meta')[serverInfo];
    if (isRecord(info) && typeof info['name'] === 'string')
      this.#info = { name: info['name'], version: String(info['version']) };
    if (method === 'tools/list' && isOfClient) this.#calls.listed(result);
  }

  lost(error: ServerLostError): void {
    this.#losses += 1;
    this.#lost = error;
  }

  /** It is another process now, with tools, a name and a version of its own. */
  reconnected(welcome: unknown): void {
    // What was asked of the tools as they were, and waited, is answered by tools that may be others: nobody else gets that.
    this.#transport.onmessage?.({ method: 'toolstash/reconnected', id: 0 });
    this.#transport = {};
    watchRoots(this.#transport);
    const before = this.#protocol;
    this.#info = undefined;
    this.answered('initialize', welcome, false);
    if (before !== this.#protocol && welcome !== undefined)
      process.emitWarning(
        `The server \`${recordIn(welcome, 'serverInfo')['name']}\` has begun anew with the revision ${this.#protocol} of MCP, its client expects ${before}`,
        'ToolstashWarning',
      );
  }

  #callTool(params: unknown, { signal, [asked]: call }: CallOptions): Promise<unknown> {
    // It has waited for one that ran then. Perhaps it is this call that ends the server.
    if (this.#lost !== undefined && call.losses < this.#losses) return Promise.reject(this.#lost);
    const token = recordIn(params, '_meta')['progressToken'];
    return this.#ask(call.message, {
      signal,
      // Later it may run again, to renew what is stored, and nobody is told.
      token: () => (call.isOpen() ? token : undefined),
      to: call.to,
    });
  }

  async #request(request: object, given: object): Promise<unknown> {
    const { method, params = {} } = request as { method: string; params?: object };
    const cursor = recordIn(request, 'params')['cursor'];
    const isModern = Object.keys(this.#envelope).length > 0;
    const value = { method, params: isModern ? { ...params, _meta: this.#envelope } : params };
    const text = `{"jsonrpc":"2.0","id":0,"method":"${method}","params":${jsonText(value.params)}}`;
    const { timeout = 5_000 } = given as { timeout?: number };
    try {
      const signal = AbortSignal.timeout(timeout);
      const page = await this.#ask(
        { text, value: { ...value, id: 0 } },
        { signal, token: () => undefined, to: () => {} },
      );
      if (cursor === undefined) this.#pages.clear();
      this.#pages.set(cursor, page);
      return page;
    } catch (error) {
      if (error instanceof ServerLostError && this.#pages.has(cursor)) return this.#pages.get(cursor);
      throw error;
    }
  }
}
