/** The tool calls of one client, answered from a cache where its rules say so and nothing speaks against it. */

import { messageOf } from '../errors.js';
import type { CacheManager, ToolRules } from '../index.js';
import { recordedTools } from '../recorded-tools.js';
import {
  type AdaptedFunction,
  adaptedFunction,
  adapterRules,
  type CachedRule,
} from '../tools/adapted-tool.js';
import type { CheckedRules } from '../tools/tool-rules.js';
import { answersOf } from '../trust/observed.js';
import { type CacheClientOptions, checkedOptions, principalOf } from './client-options.js';
import { Connection, isComplete, watchRoots } from './connection.js';
import { isRecord, type LooseClient, type McpTransport } from './mcp-client.js';
import {
  type CallIdentity,
  type CallPlace,
  type CallShape,
  callShape,
  isOfItsCaller,
  ToolCall,
  vetoOf,
} from './tool-call.js';
import { Warnings } from './warnings.js';

type CachedFunction = AdaptedFunction<ToolCall>;

/** A client, its cache, and what its user says of it. */
export interface CachedClient {
  readonly client: LooseClient;
  readonly cache: CacheManager;
  readonly rules: ToolRules;
  readonly options: CacheClientOptions;
  /** What its user writes who says which server it is. */
  readonly naming?: string;
  /** Where the answer to a call is found by what was done before; `'nowhere'`: it is not cached. @default undefined */
  placeOf?(shape: CallShape): CallPlace | 'nowhere' | undefined;
}

/** A connection, and by which name its server is known here. */
interface KnownConnection {
  readonly connection: Connection;
  readonly server: string;
  readonly warnings: Warnings;
}

/** A call for the cache. */
interface CacheableCall {
  readonly call: ToolCall;
  readonly ask: CachedFunction;
}

/** Where a result comes from. */
export interface AnswerNote {
  readonly source: string;
  readonly ageMs: number;
  readonly isStale: boolean;
  readonly key?: string | undefined;
  readonly approximate?: unknown;
}

/** The result of a call, and where it comes from, if it is to say so. */
export interface Answered {
  readonly result: unknown;
  readonly source: AnswerNote | undefined;
}

/** What the cache has to say of a call; `undefined`: it has no part in it, and it was not made. */
export type CacheAnswer = Answered | undefined;

/** Where in `_meta` a result says where it comes from. */
export const sourceField = 'toolstash/answer';

/** How many connections to servers of a name a cache has met whose user doesn't say which server it is. */
const unnamed = new WeakMap<CacheManager, Map<string, number>>();

/** The calls of one client. */
export class CachedCalls {
  readonly #client: LooseClient;
  readonly #cache: CacheManager;
  readonly #rules: CheckedRules;
  readonly #options: CacheClientOptions;
  readonly #naming: string;
  readonly #placeOf: CachedClient['placeOf'];
  /** Where results come from, if they are to say so. */
  readonly #answers: ReturnType<typeof answersOf> | undefined;
  /** By method. */
  readonly #functions = new Map<string, CachedFunction>();
  readonly #connections = new WeakMap<McpTransport, KnownConnection>();

  /** @throws InvalidOptionError */
  constructor({ client, cache, rules, options, naming, placeOf }: CachedClient) {
    this.#placeOf = placeOf;
    this.#client = client;
    this.#cache = cache;
    this.#rules = adapterRules(rules);
    this.#options = checkedOptions(options);
    this.#naming = naming ?? "`cacheClient(client, cache, rules, { server: '…', principal: … })`";
    if (client.transport !== undefined) watchRoots(client.transport);
    if (options.provenance === true) this.#answers = answersOf(cache, 'cacheClient(client, cache, rules)');
  }

  /** `callTool`, of either version. */
  async call(given: readonly unknown[]): Promise<unknown> {
    const shape = callShape(given);
    const found = shape && (await this.answer(shape));
    if (found !== undefined) return withSource(found);
    this.#cache[recordedTools]?.past(
      `${this.#serverName}/${toolIn(given)}`,
      'no rule caches it, or its server forbids it',
    );
    return withSource(this.#told(await this.#client.callTool(...given)));
  }

  /** Whether a rule caches the tool. What its server says of it may still forbid it. */
  hasRuleFor(tool: string): boolean {
    return this.#rules.for(tool)?.kind === 'cached';
  }

  /** Whether the server says of a tool that it changes nothing, or nothing of it; `undefined`: it has not listed it. */
  isUnvetoed(name: string): boolean | undefined {
    const { transport } = this.#client;
    const tool = transport && this.#connections.get(transport)?.connection.tools.find(name);
    return tool && vetoOf(tool) === undefined;
  }

  /** The answer of the cache: at once where memory has it and the tools are known, else promised. */
  answer(shape: CallShape): CacheAnswer | Promise<CacheAnswer> {
    const { transport } = this.#client;
    if (transport === undefined) return undefined;
    const known = this.#connectionOver(transport);
    const rule = this.#rules.for(shape.name);
    // Listed for any call, so that what is wrong with the rules is noticed.
    const listing = known.connection.tools.listed();
    if (rule?.kind !== 'cached') return undefined;
    if (listing === undefined) return this.#answerListed(known, shape, rule);
    return listing.then(() => this.#answerListed(known, shape, rule));
  }

  /** The tools are known, as far as they can be. */
  #answerListed(
    known: KnownConnection,
    shape: CallShape,
    rule: CachedRule,
  ): CacheAnswer | Promise<CacheAnswer> {
    const cacheable = this.#cacheable(known, shape, rule);
    if (cacheable === undefined) return undefined;
    const { call, ask } = cacheable;
    const answer = ask(call, call.signal);
    return answer instanceof Promise ? this.#awaited(answer, call) : this.#told(answer);
  }

  async #awaited(answer: Promise<unknown>, call: ToolCall): Promise<CacheAnswer> {
    try {
      return this.#told(await answer);
    } catch (error) {
      // It is another caller whose time is over, or whose connection is.
      if (call.hasRun || !isOfItsCaller(error) || call.signal?.aborted === true) throw error;
      return this.#told(await this.#client.callTool(...call.shape.given));
    }
  }

  #told(result: unknown): Answered {
    if (this.#answers === undefined || !isRecord(result)) return { result, source: undefined };
    const {
      source = 'uncached',
      ageMs = 0,
      isStale = false,
      key,
      approximate,
    } = this.#answers.take(result) ?? {};
    // No `...` on this road: V8 makes such objects field by field.
    if (approximate !== undefined) return { result, source: { source, ageMs, isStale, key, approximate } };
    return {
      result,
      source: key === undefined ? { source, ageMs, isStale } : { source, ageMs, isStale, key },
    };
  }

  /** The user has listed the tools: perhaps they are not as they were. */
  listed(result: unknown): void {
    const { transport } = this.#client;
    const tools = isRecord(result) ? result['tools'] : undefined;
    if (transport === undefined || !Array.isArray(tools)) return;
    void this.#connections.get(transport)?.connection.tools.compare(tools);
  }

  /** `undefined`: the call goes to the server as it is. */
  #cacheable(known: KnownConnection, shape: CallShape, rule: CachedRule): CacheableCall | undefined {
    const { tools } = known.connection;
    const tool = tools.find(shape.name);
    // What happens from here on may concern this call. What servers ask of a client that has just connected does not.
    const { incidents } = known.connection;
    if (tool === undefined || vetoOf(tool) !== undefined) return undefined;
    const place = this.#placeOf?.(shape);
    if (place === 'nowhere') return undefined;
    try {
      const identity = this.#identity(known, shape, tool.hash);
      const call = new ToolCall({ shape, connection: known.connection, incidents, identity, place });
      return { call, ask: this.#function(`${known.server}/${shape.name}`, rule) };
    } catch (error) {
      known.warnings.warn(`\`${shape.name}\` runs uncached: ${messageOf(error)}`, 'TOOLSTASH_MCP_UNCACHED');
      return undefined;
    }
  }

  /** What its tools are named after here. */
  get #serverName(): string {
    return this.#options.server ?? this.#client.getServerVersion()?.name ?? 'mcp';
  }

  /** What else tells calls of a tool apart: which server, which definition, for whom. */
  #identity({ connection }: KnownConnection, { given: [params] }: CallShape, tool: string): CallIdentity {
    const { server } = this.#options;
    const { name, version } = this.#client.getServerVersion() ?? {};
    // Answers by another protocol are others. Where there are no sessions, each call says by which it is made.
    const protocol = revisionOf(params) ?? this.#client.getNegotiatedProtocolVersion?.();
    const principal = principalOf(this.#options);
    const identity: CallIdentity = {
      tool,
      server: connection.hasRoots || server === undefined ? connection.id : server,
    };
    if (name !== undefined) {
      identity['name'] = name;
      identity['version'] = version;
    }
    if (protocol !== undefined) identity['protocol'] = protocol;
    if (principal !== null) identity['principal'] = principal;
    return identity;
  }

  #function(method: string, rule: CachedRule): CachedFunction {
    const known = this.#functions.get(method);
    if (known !== undefined) return known;
    const { key } = rule.options;
    const made = adaptedFunction<ToolCall>(this.#cache, {
      name: method,
      rule,
      shared: true,
      run: (call, signal) => this.#run(call, signal),
      key: (call) => call.params(key),
      isPrivate: (call) => call.isPrivate,
    });
    this.#functions.set(method, made);
    return made;
  }

  async #run(call: ToolCall, signal: AbortSignal | undefined): Promise<unknown> {
    call.hasRun = true;
    const result = await this.#client.callTool(...call.givenUnder(signal));
    call.isComplete = isComplete(result);
    return result;
  }

  #connectionOver(transport: McpTransport): KnownConnection {
    const known = this.#connections.get(transport);
    if (known !== undefined) return known;
    const server = this.#serverName;
    const warnings = new Warnings(this.#cache, server);
    const connection = new Connection(this.#client, transport, {
      onListed: (tools) => warnings.onListed(tools, this.#rules),
      onUnlisted: (reason) => warnings.onUnlisted(reason),
    });
    const made = { connection, server, warnings };
    this.#connections.set(transport, made);
    if (this.#options.server === undefined) this.#countUnnamed(made);
    return made;
  }

  #countUnnamed({ server, warnings }: KnownConnection): void {
    const counts = unnamed.get(this.#cache) ?? new Map<string, number>();
    unnamed.set(this.#cache, counts);
    const count = (counts.get(server) ?? 0) + 1;
    counts.set(server, count);
    if (count < 2) return;
    warnings.warn(
      'Its connections share no results, because nobody says that they lead to one server that is set up in one way. ' +
        `Say so: ${this.#naming}.`,
      'TOOLSTASH_MCP_SERVER_UNNAMED',
    );
  }
}

/** The tool of a call, of one that can't be cached too. */
function toolIn([params]: readonly unknown[]): string {
  const name = isRecord(params) ? params['name'] : undefined;
  return typeof name === 'string' ? name : 'callTool';
}

/** The revision of the protocol that a call names itself, as all do from 2026-07-28 on. */
function revisionOf(params: unknown): string | undefined {
  const meta = isRecord(params) ? params['_meta'] : undefined;
  const revision = isRecord(meta) ? meta['io.modelcontextprotocol/protocolVersion'] : undefined;
  return typeof revision === 'string' ? revision : undefined;
}

/** A result with a note of where it came from. What the server has put into `_meta` stays. */
export function withSource({ result, source }: Answered): unknown {
  if (source === undefined || !isRecord(result)) return result;
  const meta = result['_meta'];
  return { ...result, _meta: { ...(isRecord(meta) && meta), [sourceField]: source } };
}
