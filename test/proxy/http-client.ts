/** Proxies of this process that listen, and clients of raw JSON-RPC over HTTP. */

import { expect } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type ProxyConfig, resolveConfig, serveHttp } from '../../src/proxy/index.js';

/** What ends each proxy, in the order in which they were started. */
export const open: (() => Promise<void>)[] = [];
/** Ends all proxies. */
export async function closeServed(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}

/** Starts a proxy; where it listens. */
export function serve(config: ProxyConfig, cache = new CacheManager()): Promise<string> {
  const stop = new AbortController();
  const resolved = resolveConfig({ ...config, listen: { port: 0, ...config.listen } });
  return new Promise((resolve, reject) => {
    const ended = serveHttp(resolved, cache, { signal: stop.signal, onListening: resolve });
    ended.catch(reject);
    open.push(() => {
      stop.abort();
      return ended;
    });
  });
}

export const accept = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

// biome-ignore lint/suspicious/noExplicitAny: tests look into what a server says
export type Value = any;

/** The messages of a response, as JSON or as events. */
export async function messagesIn(response: Response): Promise<Value[]> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.includes('event-stream')) return [JSON.parse(text)];
  return Array.from(text.matchAll(/^data: (.*)$/gm), ([, data]) => JSON.parse(data as string));
}

/** What the revision 2026-07-28 demands of requests that are made by it. */
export function routing(method: string, params: Value): Record<string, string> {
  const version = params._meta?.['io.modelcontextprotocol/protocolVersion'];
  if (version === undefined) return {};
  const name = params.name === undefined ? {} : { 'mcp-name': params.name };
  return { 'mcp-protocol-version': version, 'mcp-method': method, ...name };
}

/** A client of raw JSON-RPC. */
export class HttpClient {
  readonly url: string;
  readonly headers: Record<string, string>;
  #ids = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.url = url;
    this.headers = headers;
  }

  static async connect(url: string, headers = {}): Promise<HttpClient> {
    const client = new HttpClient(url, headers);
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    };
    const response = await client.post('initialize', params);
    client.headers['mcp-session-id'] = response.headers.get('mcp-session-id') as string;
    const [welcome] = await messagesIn(response);
    expect(welcome.result.serverInfo.name).toBe('raw');
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    expect((await client.send(JSON.stringify(initialized))).status).toBe(202);
    return client;
  }

  send(body: string, more = {}): Promise<Response> {
    return fetch(this.url, { method: 'POST', headers: { ...accept, ...this.headers, ...more }, body });
  }

  post(method: string, params: object = {}, id: unknown = ++this.#ids): Promise<Response> {
    return this.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }), routing(method, params));
  }

  async ask(method: string, params?: object): Promise<Value> {
    return (await messagesIn(await this.post(method, params))).at(-1);
  }

  call(name: string, args: object = {}, more: object = {}): Promise<Value> {
    return this.ask('tools/call', { name, arguments: args, ...more });
  }
}
