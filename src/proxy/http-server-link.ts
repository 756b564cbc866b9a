/** A server behind Streamable HTTP: each message is a request of its own, whose answer may be a stream of messages. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord } from '../mcp/mcp-client.js';
import { ask, type HttpAnswer } from './http-request.js';
import {
  harmless,
  idKey,
  kindOf,
  type Message,
  parsedMessages,
  RpcError,
  recordIn,
  requestIds,
  ServerLostError,
} from './message.js';
import type { LinkListener, ServerLink } from './server-link.js';
import { serverSentEvents } from './server-sent-events.js';
import { ToldMessages } from './told-messages.js';

/** Where a server is. */
export interface HttpServer {
  readonly url: string;
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** In ms: before a stream that has ended is asked for again, where the server says nothing else. */
const retryDelay = 1_000;
/** How often the rest of an answer is asked for in vain. */
const mostResumptions = 5;
/** In ms: for so long at most the rest waits until a notification is taken. */
const longestTurn = 2_000;
const versionField = 'io.modelcontextprotocol/protocolVersion';

/** A message on its way, the ids that are not answered yet, by their keys, and what ends it. */
interface Asked {
  readonly message: Message;
  readonly open: Map<string, unknown>;
  readonly signal: AbortSignal;
}

/** A link to such a server. */
export class HttpServerLink implements ServerLink {
  readonly endsWork = false;
  readonly #name: string;
  readonly #server: HttpServer;
  readonly #listener: LinkListener;
  readonly #closing = new AbortController();
  readonly #told = new ToldMessages();
  /** What ends all that is under way. */
  readonly #aborts = new Set<AbortController>();
  /** Requests under way, by own id. */
  readonly #posts = new Map<string, AbortController>();
  #sessionId: string | undefined;
  #version: string | undefined;
  /** What everything else waits for: the answer to `initialize`. */
  #welcome: Promise<unknown> | undefined;
  /** Resolves once the server has taken the last notification. */
  #turn: Promise<unknown> = Promise.resolve();
  #isReviving = false;
  /** The server has forgotten the session, and has begun no other. */
  #isForgotten = false;

  constructor(name: string, server: HttpServer, listener: LinkListener) {
    this.#name = name;
    this.#server = server;
    this.#listener = listener;
  }

  send(message: Message): void {
    if (this.#closing.signal.aborted) throw this.#lost('is closed');
    const { method, params } = message.value;
    // From 2026-07-28 on nothing else ends a request.
    const cancelled =
      method === 'notifications/cancelled' ? recordIn({ params }, 'params')['requestId'] : undefined;
    const post = this.#posts.get(idKey(cancelled));
    if (post !== undefined && this.#sessionId === undefined && this.#version === undefined) {
      post.abort();
      return;
    }
    this.#told.note(message);
    if (this.#isForgotten) void this.#revive();
    const sent = this.#sent(message);
    if (method === 'initialize') this.#welcome = sent;
    if (method === 'notifications/initialized') void sent.then(() => this.#listen());
  }

  /** Each is a connection of its own, and might overtake a notification: what comes after one waits until it is taken. */
  async #sent(message: Message): Promise<void> {
    const before = this.#turn;
    let taken = () => {};
    const isNotification = requestIds(message).length === 0;
    if (isNotification)
      this.#turn = new Promise((resolve) => {
        taken = () => resolve(undefined);
      });
    await before;
    if (message.value['method'] !== 'initialize') await this.#welcome;
    if (isNotification) setTimeout(taken, longestTurn).unref();
    await this.#post(message, taken);
  }

  room(): undefined {
    return undefined;
  }

  hold(): void {
    // What a client doesn't take waits in this process.
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const abort of this.#aborts) abort.abort();
    if (this.#sessionId === undefined) return;
    const signal = AbortSignal.timeout(2_000);
    // The server may know nothing of it any more, or be away.
    await ask(this.#server.url, {
      method: 'DELETE',
      headers: this.#headers(),
      signal,
      isRepeatable: true,
    }).then(
      (answer) => answer.leave(),
      () => undefined,
    );
  }

  /** Never rejects: what goes wrong is told to who asked. */
  async #post(message: Message, onTaken = () => {}): Promise<void> {
    const open = new Map(requestIds(message).map((id) => [idKey(id), id]));
    const keys = [...open.keys()];
    const abort = new AbortController();
    const { signal } = abort;
    this.#aborts.add(abort);
    for (const key of keys) this.#posts.set(key, abort);
    try {
      if (this.#isForgotten && !this.#isReviving)
        throw this.#lost('has forgotten the session, and begins no other');
      if (this.#closing.signal.aborted) abort.abort();
      const response = await ask(this.#server.url, {
        method: 'POST',
        headers: { ...this.#headers(message), 'content-type': 'application/json' },
        body: message.text,
        ...{ signal, isRepeatable: harmless.has(message.value['method'] as string) },
      });
      onTaken();
      await this.#answered(response, { message, open, signal });
    } catch (error) {
      if (signal.aborted) return;
      const told = error instanceof RpcError ? error : this.#lost(`can't be reached: ${causeOf(error)}`);
      for (const id of open.values()) this.#listener.onFailed(id, told);
    } finally {
      onTaken();
      this.#aborts.delete(abort);
      for (const key of keys) this.#posts.delete(key);
    }
  }

  async #answered(response: HttpAnswer, { message: { value }, open, signal }: Asked): Promise<void> {
    if (!response.isOk) throw await this.#refusal(response);
    if (value['method'] === 'initialize')
      this.#sessionId = response.headers['mcp-session-id'] as string | undefined;
    const type = response.headers['content-type'] ?? '';
    if (type.includes('text/event-stream')) {
      await this.#read(response, open, signal);
      if (open.size > 0) throw this.#lost('has ended the stream of an answer before the answer came');
      return;
    }
    const text = await response.text();
    if (type.includes('application/json') && parsedMessages(text) !== undefined) this.#message(text, open);
    if (open.size > 0)
      throw this.#lost(`has sent HTTP ${response.status} (${type || 'no type'}), in which is no answer`);
  }

  /** Reads a stream of messages, and its rest where it breaks off, until nothing is open any more. */
  async #read(first: HttpAnswer, open: Asked['open'], signal: AbortSignal): Promise<void> {
    const isRequest = open.size > 0;
    let response = first;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    for (let resumed = 0; resumed <= mostResumptions; resumed += 1) {
      try {
        for await (const { data, id, retry } of serverSentEvents(response.body)) {
          last = { id, retry };
          if (data.trim() === '') continue;
          resumed = 0;
          this.#message(data, open);
          if (!isRequest || open.size > 0) continue;
          response.leave();
          return;
        }
      } catch (error) {
        if (last.id === undefined || signal.aborted) throw error;
      }
      if (last.id === undefined) return;
      await sleep(last.retry ?? retryDelay, undefined, { signal });
      const headers = { ...this.#headers(), 'last-event-id': last.id };
      response = await ask(this.#server.url, { method: 'GET', headers, signal, isRepeatable: true });
      if (!response.isOk) {
        response.leave();
        return;
      }
    }
  }

  /** Hands a message on, and strikes out what it answers. */
  #message(text: string, open?: Asked['open']): void {
    const found = parsedMessages(text);
    const messages = found === undefined ? [] : 'value' in found ? [found] : found;
    // A batch has no one to whom all else would go.
    const [own] = open?.size === 1 ? open.values() : [];
    for (const message of messages) {
      const { value } = message;
      const key = idKey(value['id']);
      if (kindOf(value) !== 'response' || open?.delete(key) !== true) continue;
      const version = recordIn(value, 'result')['protocolVersion'];
      if (idKey(this.#told.initialize?.value['id']) !== key) continue;
      if (typeof version === 'string') this.#version = version;
      if (!this.#isReviving || value['error'] !== undefined) continue;
      this.#isForgotten = false;
      // What waits for it goes to the server as it is now, and is answered by that.
      this.#listener.onBack(message);
    }
    this.#listener.onMessage(text, own as string | undefined);
  }

  async #refusal(response: HttpAnswer): Promise<RpcError> {
    const text = await response.text();
    if (response.status === 404 && this.#sessionId !== undefined) {
      const error = this.#lost('has forgotten the session, which begins anew: call again');
      void this.#revive(error);
      return error;
    }
    const found = parsedMessages(text);
    const error = found !== undefined && 'value' in found ? found.value['error'] : undefined;
    if (isRecord(error)) return new RpcError(error);
    const message = `toolstash: the server \`${this.#name}\` answers with HTTP ${response.status} ${text.slice(0, 200)}`;
    return new RpcError({ code: -32000, message: message.trim() });
  }

  /** A session that the server has forgotten is told again what the first one was told. */
  async #revive(error?: ServerLostError): Promise<void> {
    const { initialize } = this.#told;
    if (this.#isReviving || initialize === undefined) return;
    this.#isReviving = true;
    this.#isForgotten = true;
    this.#sessionId = undefined;
    if (error !== undefined) this.#listener.onLost(error);
    const begun = this.#begunAnew(initialize);
    this.#welcome = begun;
    if (await begun) void this.#listen();
  }

  /** Whether the server has taken it. If not, the next message tries again. */
  async #begunAnew(initialize: Message): Promise<boolean> {
    await this.#post(initialize);
    if (!this.#isForgotten) for (const message of this.#told.afterwards()) await this.#post(message);
    this.#isReviving = false;
    return !this.#isForgotten;
  }

  /** What the server says by itself, for as long as the session lasts. Not all do. */
  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    const session = this.#sessionId;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    while (!signal.aborted && session === this.#sessionId) {
      try {
        const resuming = last.id === undefined ? {} : { 'last-event-id': last.id };
        const response = await ask(this.#server.url, {
          method: 'GET',
          headers: { ...this.#headers(), ...resuming },
          ...{ signal, isRepeatable: true },
        });
        if (!response.isOk) {
          response.leave();
          return;
        }
        for await (const { data, id, retry } of serverSentEvents(response.body)) {
          last = { id, retry };
          if (data.trim() !== '') this.#message(data, undefined);
        }
      } catch (error) {
        // It is asked again, and the next call tells whether the server is there.
        if (signal.aborted) return;
        process.emitWarning(
          `The stream of the server \`${this.#name}\` has broken off: ${causeOf(error)}`,
          'ToolstashWarning',
        );
      }
      await sleep(last.retry ?? retryDelay, undefined, { ref: false });
    }
  }

  #headers({ value, headers }: Partial<Message> = {}): Record<string, string> {
    const { method } = value ?? {};
    const params = recordIn(value, 'params');
    const own = recordIn(params, '_meta')[versionField];
    const version = typeof own === 'string' ? own : method === 'initialize' ? undefined : this.#version;
    const name = params['name'] ?? params['uri'];
    return {
      accept: 'application/json, text/event-stream',
      ...(version !== undefined && { 'mcp-protocol-version': version }),
      ...(typeof own === 'string' && typeof method === 'string' && { 'mcp-method': method }),
      ...headers,
      // A client in front of several servers gives it with a prefix.
      ...(typeof own === 'string' && typeof name === 'string' && { 'mcp-name': headerOf(name) }),
      ...this.#server.headers,
      ...(this.#sessionId !== undefined && method !== 'initialize' && { 'mcp-session-id': this.#sessionId }),
    };
  }

  #lost(what: string): ServerLostError {
    return new ServerLostError(`toolstash: the server \`${this.#name}\` ${what}`);
  }
}

/** A value of a header, which holds visible ASCII only. */
function headerOf(text: string): string {
  const isPlain = /^[!-~]([ -~]*[!-~])?$/.test(text) && !text.startsWith('=?base64?');
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

/** The code alone: what else is said may hold a header. */
function causeOf(error: unknown): string {
  const cause = isRecord(error) ? (error['cause'] ?? error) : undefined;
  const code = isRecord(cause) ? cause['code'] : undefined;
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : 'the request has failed';
}
