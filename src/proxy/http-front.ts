/** Clients over Streamable HTTP: a session for each that begins with `initialize`, one for all of a principal that don't. */

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrometheusPage } from '../metrics/prometheus.js';
import { bodyOf, HttpAccess, refuse } from './http-access.js';
import { Exchange } from './http-exchange.js';
import { HttpSession, type Owner } from './http-session.js';
import { jsonText } from './json-text.js';
import type { ResolvedListen } from './listen-config.js';
import { kindOf, type Message, parsedMessages, recordIn } from './message.js';
import { disagreement } from './routing-headers.js';
import type { ToClient } from './server-link.js';
import type { ClientSession } from './session-group.js';
import type { RolloutName } from './session-worlds.js';

/** Who begins a session. */
export interface Whose {
  readonly headers: IncomingMessage['headers'];
  /** It is one for all clients of a principal whose revision has no sessions. */
  readonly isShared: boolean;
}

/** What a front is made from. */
export interface HttpFrontInit {
  readonly listen: ResolvedListen;
  /** Begins a session for who asks with these headers. */
  open(whose: Whose, toClient: ToClient): ClientSession;
  /** What the cache has done, for whoever asks. */
  stats(): unknown;
  /** The same for Prometheus. Rejects where its library is not installed. */
  metrics(): Promise<PrometheusPage>;
  /** For whom the answers are, by these headers. */
  principalOf(headers: IncomingMessage['headers']): string;
  /** Which trajectory a request is part of, by its headers and what follows in its path. @default undefined: nobody asks */
  readonly rolloutOf?:
    | ((headers: IncomingMessage['headers'], path: readonly string[]) => RolloutName)
    | undefined;
}

const base = 'http://localhost';
const [path, statsPath, metricsPath] = ['/mcp', '/stats', '/metrics'];
/** Streams, and requests that were open the time before, say that they are alive so often, in ms. */
const keepAlive = 15_000;
/** Headers that a server behind HTTP reads. */
const relayed = /^mcp-(protocol-version|method|name|param-.*)$/;

/** A server of HTTP in front of a proxy. */
export class HttpFront {
  readonly #init: HttpFrontInit;
  readonly #access: HttpAccess;
  readonly #server: Server;
  readonly #sessions = new Map<string, HttpSession>();
  /** Requests and streams that are open. */
  #streams = 0;
  #origins = 0;
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(init: HttpFrontInit) {
    this.#init = init;
    this.#access = new HttpAccess(init.listen);
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: Error) => {
        refuse(response, 500, -32603, `toolstash: ${error.message}`);
      });
    });
    // Answers may take longer than any limit of HTTP's own.
    this.#server.requestTimeout = 60_000;
    this.#timers = [
      setInterval(() => this.#sweep(), 10_000).unref(),
      // One for all: a timer for each costs calls that are soon over more than they can save by it.
      setInterval(() => {
        for (const session of this.#sessions.values()) session.keepAlive();
      }, keepAlive).unref(),
    ];
  }

  /** Starts to listen; where. */
  async start(): Promise<string> {
    const { host, port } = this.#init.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    const { port: found } = this.#server.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${found}${path}`;
  }

  /** Takes no more, waits for what is under way, and ends all sessions. */
  async close(drainTimeout: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#server.close();
    const sessions = [...this.#sessions.values()];
    const idle = Promise.all(sessions.map(({ session }) => session.idle()));
    await Promise.race([idle, sleep(drainTimeout, undefined, { ref: false })]);
    await Promise.all([...this.#sessions.keys()].map((id) => this.#end(id)));
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pathname = pathOf(request.url ?? '/');
    if (pathname === undefined) return refuse(response, 400, -32000, 'Bad Request: no URL');
    if (this.#access.answers(request, response)) return;
    if (pathname === statsPath && request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(jsonText(this.#init.stats()));
      return;
    }
    if (pathname === metricsPath && request.method === 'GET') {
      const { type, text } = await this.#init.metrics();
      response.writeHead(200, { 'content-type': type }).end(text);
      return;
    }
    const names = this.#namesIn(pathname);
    if (names === undefined) return refuse(response, 404, -32000, `Not found: the proxy is at ${path}`);
    if (request.method === 'POST') return this.#post(request, response, names);
    if (request.method !== 'GET' && request.method !== 'DELETE') {
      response.setHeader('allow', 'GET, POST, DELETE');
      return refuse(response, 405, -32000, 'Method not allowed');
    }
    const id = request.headers['mcp-session-id'];
    if (id === undefined) {
      response.setHeader('allow', 'POST');
      return refuse(response, 405, -32000, 'Method not allowed without Mcp-Session-Id');
    }
    const found = this.#known(request);
    if (found === undefined) return refuse(response, 404, -32001, 'Session not found');
    if (request.method === 'GET') return this.#listen(found, response);
    await this.#end(id as string);
    response.writeHead(200).end();
  }

  /** What follows in the path, task and rollout; `undefined`: it is another path. */
  #namesIn(pathname: string): readonly string[] | undefined {
    if (pathname === path) return [];
    const [root, ...names] = pathname.slice(1).split('/');
    if (this.#init.rolloutOf === undefined || `/${root}` !== path || names.length > 2) return undefined;
    try {
      return names.includes('') ? undefined : names.map(decodeURIComponent);
    } catch {
      return undefined;
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, names: readonly string[]): Promise<void> {
    const { listen } = this.#init;
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
      return refuse(response, 415, -32000, 'Unsupported media type: Content-Type must be application/json');
    const body = await bodyOf(request, listen.maxBodyBytes);
    if (body === undefined)
      return refuse(response, 413, -32000, `Payload too large: more than ${listen.maxBodyBytes} bytes`);
    const found = parsedMessages(body);
    if (found === undefined) return refuse(response, 400, -32700, 'Parse error: invalid JSON-RPC message');
    const messages = 'value' in found ? [found] : found;
    const wrong = messages.map((each) => disagreement(request.headers, each)).find((each) => each);
    if (wrong !== undefined) return refuse(response, 400, -32020, `Bad Request: ${wrong}`);
    const requests = messages.filter(({ value }) => kindOf(value) === 'request');
    if (requests.length > 0 && !this.#mayStream(response)) return;
    const session = this.#sessionFor(request, response, messages);
    if (session === undefined) return;
    session.lastUsed = performance.now();
    const full = session.session.room();
    if (full !== undefined && !this.#mayStream(response)) return;
    if (requests.length > 0) {
      const exchange = this.#exchange(session, response, requests);
      const to = this.#clientOf(session, exchange, requests, { request, names });
      session.session.receive(body, to, found);
    } else
      session.session.receive(
        body,
        Object.assign(() => {}, { headers: headersIn(request) }),
        found,
      );
    if (full !== undefined) {
      // It waits here until the server takes more, whether its client does or not.
      this.#streams += 1;
      await full;
      this.#streams -= 1;
    }
    if (requests.length === 0) response.writeHead(202).end();
  }

  #exchange(session: HttpSession, response: ServerResponse, requests: readonly Message[]): Exchange {
    const exchange = new Exchange(response, requests.length);
    this.#streams += 1;
    session.begin(exchange);
    exchange.onEnd(() => {
      this.#streams -= 1;
    });
    // A session that was never welcomed is nobody's.
    const begun = response.getHeader('mcp-session-id');
    if (begun !== undefined) exchange.onFailure(() => void this.#end(String(begun)));
    return exchange;
  }

  /** Who asks by a request. */
  #clientOf(
    { session, isShared }: HttpSession,
    exchange: Exchange,
    requests: readonly Message[],
    { request, names }: { readonly request: IncomingMessage; readonly names: readonly string[] },
  ): ToClient {
    const to: ToClient = Object.assign((text: string, answers = 0) => exchange.send(text, answers), {
      origin: isShared ? `${++this.#origins}` : '',
      headers: headersIn(request),
      rollout: this.#init.rolloutOf?.(request.headers, names),
      asStream: readsStreams(request) ? () => exchange.asStream() : undefined,
    });
    // Where there are no sessions, who goes away has cancelled.
    if (isShared)
      exchange.onBreak(() => {
        for (const { value } of requests)
          session.receive(
            jsonText({
              jsonrpc: '2.0',
              method: 'notifications/cancelled',
              params: { requestId: value['id'] },
            }),
            to,
          );
      });
    return to;
  }

  /** `undefined`: it was refused. */
  #sessionFor(
    request: IncomingMessage,
    response: ServerResponse,
    messages: readonly Message[],
  ): HttpSession | undefined {
    const { headers } = request;
    if (headers['mcp-session-id'] !== undefined) {
      const known = this.#known(request);
      if (known === undefined) refuse(response, 404, -32001, 'Session not found');
      return known;
    }
    const principal = this.#init.principalOf(headers);
    if (messages.some(({ value }) => value['method'] === 'initialize')) {
      const id = randomUUID();
      response.setHeader('mcp-session-id', id);
      return this.#begin(id, { principal, isShared: false }, request, response);
    }
    const meta = recordIn(messages[0]?.value['params'], '_meta');
    const version = meta['io.modelcontextprotocol/protocolVersion'] ?? headers['mcp-protocol-version'];
    if (typeof version !== 'string' || version < '2026') {
      refuse(response, 400, -32000, 'Bad Request: Mcp-Session-Id header is required');
      return undefined;
    }
    const shared = `shared ${principal}`;
    return (
      this.#sessions.get(shared) ?? this.#begin(shared, { principal, isShared: true }, request, response)
    );
  }

  #begin(
    id: string,
    owner: Owner,
    { headers }: IncomingMessage,
    response: ServerResponse,
  ): HttpSession | undefined {
    if (this.#sessions.size >= this.#init.listen.maxSessions) {
      response.removeHeader('mcp-session-id');
      refuse(response, 503, -32000, `Too many sessions: ${this.#sessions.size}`);
      return undefined;
    }
    const { isShared } = owner;
    const made = new HttpSession(owner, (toClient) => this.#init.open({ headers, isShared }, toClient));
    this.#sessions.set(id, made);
    return made;
  }

  /** The session that a request names, if it is one of who asks. */
  #known({ headers }: IncomingMessage): HttpSession | undefined {
    const found = this.#sessions.get(String(headers['mcp-session-id']));
    if (found === undefined || found.isShared) return undefined;
    return found.principal === this.#init.principalOf(headers) ? found : undefined;
  }

  #listen(session: HttpSession, response: ServerResponse): void {
    if (session.hasStream) {
      refuse(response, 409, -32000, 'Conflict: there is a stream of this session');
      return;
    }
    if (!this.#mayStream(response)) return;
    this.#streams += 1;
    session.listen(response, () => {
      this.#streams -= 1;
    });
  }

  #mayStream(response: ServerResponse): boolean {
    const { maxStreams } = this.#init.listen;
    if (this.#streams < maxStreams) return true;
    refuse(response, 503, -32000, `Too many open requests: ${maxStreams}`);
    return false;
  }

  async #end(id: string): Promise<void> {
    const found = this.#sessions.get(id);
    this.#sessions.delete(id);
    await found?.close();
  }

  /** Ends sessions whose clients have gone without a word. */
  #sweep(): void {
    const before = performance.now() - this.#init.listen.sessionIdle;
    for (const [id, { isIdle, lastUsed }] of this.#sessions)
      if (isIdle && lastUsed < before) void this.#end(id);
  }
}

/** `undefined`: it is none. Most are as plain as they can be. */
function pathOf(url: string): string | undefined {
  if (/^(?:\/[\w-]+)+$/.test(url)) return url;
  return URL.canParse(url, base) ? new URL(url, base).pathname : undefined;
}

/** Whether a client takes a stream where JSON would do. */
function readsStreams({ headers: { accept } }: IncomingMessage): boolean {
  return accept?.includes('text/event-stream') === true;
}

function headersIn({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name in headers) if (relayed.test(name)) found[name] = String(headers[name]);
  return found;
}
