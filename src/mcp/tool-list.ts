/** The tools of a server, listed when they are first asked for, and again when they may have changed. */

import { messageOf } from '../errors.js';
import { hashKey } from '../key/key-hasher.js';
import { isRecord, type LooseClient, type McpTool } from './mcp-client.js';

/** A tool, and the hash of its definition. */
export interface ListedTool extends McpTool {
  readonly hash: string;
}

type ListedTools = ReadonlyMap<string, ListedTool>;

/** How long a call waits for the list, in ms: after that it runs without the cache. */
const listTimeout = 5_000;
/** For how long a list is not asked for again that could not be had, in ms. */
const retryAfter = 60_000;
/** How long a list holds, in ms: not all servers tell of changes. */
const maxAge = 300_000;
/** A server whose pages have no end. */
const mostPages = 64;

/** Who wants to know of lists. */
export interface ListListener {
  onListed(tools: readonly McpTool[]): void;
  onUnlisted(reason: string): void;
}

/** One server's tools. */
export class ToolList {
  readonly #client: LooseClient;
  readonly #listener: ListListener;
  #listing: Promise<ListedTools | undefined> | undefined;
  /** As they are by the last list, if nothing has happened since that may have changed them. */
  #current: ListedTools | undefined;
  #validUntil = 0;

  constructor(client: LooseClient, listener: ListListener) {
    this.#client = client;
    this.#listener = listener;
  }

  /** Ends when the tools are known, or can't be; `undefined`: they are. Never rejects. */
  listed(): Promise<void> | undefined {
    return this.#current === undefined || performance.now() >= this.#validUntil ? this.#listed() : undefined;
  }

  async #listed(): Promise<void> {
    // The list may change while it is waited for, though hardly again and again.
    for (let tries = 0; tries < 3; tries++) {
      if (performance.now() >= this.#validUntil) this.forget();
      this.#listing ??= this.#list();
      const listing = this.#listing;
      const tools = await listing;
      if (listing !== this.#listing) continue;
      this.#current = tools;
      return;
    }
  }

  /** A tool by its name, as it is now; `undefined` where there is none, or it isn't known. */
  find(name: string): ListedTool | undefined {
    return this.#current?.get(name);
  }

  /** The tools may have changed. */
  forget(): void {
    this.#listing = undefined;
    this.#current = undefined;
    this.#validUntil = Number.POSITIVE_INFINITY;
  }

  /** Somebody else has listed tools, in other words perhaps. */
  async compare(tools: readonly unknown[]): Promise<void> {
    const known = await this.#listing;
    if (known === undefined) return;
    const isKnown = (tool: unknown) => isTool(tool) && known.get(tool.name)?.hash === hashOf(tool);
    if (!tools.every(isKnown)) this.forget();
  }

  async #list(): Promise<ListedTools | undefined> {
    try {
      const { tools, ttlMs } = await this.#pages();
      this.#validUntil = performance.now() + Math.min(maxAge, ttlMs);
      this.#listener.onListed(tools);
      return new Map(tools.map((tool) => [tool.name, { ...tool, hash: hashOf(tool) }]));
    } catch (error) {
      this.#validUntil = performance.now() + retryAfter;
      this.#listener.onUnlisted(messageOf(error));
      return undefined;
    }
  }

  /**
   * By `request`: `listTools` would make version 1 check results against the definitions from then on, and version 2
   * answer from its own cache.
   */
  async #pages(): Promise<{ tools: McpTool[]; ttlMs: number }> {
    const tools: McpTool[] = [];
    let ttlMs = Number.POSITIVE_INFINITY;
    let cursor: unknown;
    for (let page = 0; page < mostPages; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const result = await this.#client.request({ method: 'tools/list', params }, anyResult, {
        timeout: listTimeout,
      });
      if (!isRecord(result) || !Array.isArray(result['tools'])) throw new Error('it sent no list of tools');
      tools.push(...result['tools'].filter(isTool));
      const { ttlMs: ttl, nextCursor } = result;
      if (typeof ttl === 'number' && ttl > 0) ttlMs = Math.min(ttlMs, ttl);
      if (nextCursor === undefined) return { tools, ttlMs };
      cursor = nextCursor;
    }
    throw new Error(`its list of tools has more than ${mostPages} pages`);
  }
}

/** A schema of version 1 (as of zod 3), and of version 2 (a standard schema). */
const anyResult = {
  safeParse: (data: unknown) => ({ success: true, data }),
  '~standard': { version: 1, vendor: 'toolstash', validate: (value: unknown) => ({ value }) },
};

function isTool(tool: unknown): tool is McpTool {
  return isRecord(tool) && typeof tool['name'] === 'string';
}

/** Of all that the server says of a tool but its looks. */
function hashOf(tool: McpTool): string {
  const { _meta, icons, ...definition } = tool as McpTool & { _meta?: unknown; icons?: unknown };
  return hashKey('mcp', definition);
}
