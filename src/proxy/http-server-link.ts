/** A server behind Streamable HTTP: each message is a request of its own, whose answer may be a stream of messages. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { isRecord } from '../mcp/mcp-client.js';
import {
  idKey,
  kindOf,
  type Message,
  parsedMessages,
  RpcError,
  recordIn,
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
const versionField = 'io.modelcontextprotocol/protocolVersion';

/** A link to such a server. */
export class HttpServerLink implements ServerLink {
  readonly #name: string;
  readonly #server: HttpServer;
  readonly #listener: LinkListener;
  readonly #closing = new AbortController();
  readonly #told = new ToldMessages();
  /** Requests under way, by own id. */
  readonly #posts = new Map<string, AbortController>();
  #sessionId: string | undefined;
  #version: string | undefined;
  /** What everything else waits for: the answer to `initialize`. */
  #welcome: Promise<void> | undefined;
  #isReviving = false;

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
    const sent =
      this.#welcome === undefined ? this.#post(message) : this.#welcome.then(() => this.#post(message));
    if (method === 'initialize') this.#welcome = sent;
    if (method === 'notifications/initialized') void sent.then(() => this.#listen());
  }

  room(): undefined {
    return undefined;
  }

  hold(): void {
    // What a client doesn't take waits in this process.
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#sessionId === undefined) return;
    const signal = AbortSignal.timeout(2_000);
    // The server may know nothing of it any more, or be away.
    await fetch(this.#server.url, { method: 'DELETE', headers: this.#headers(), signal }).catch(
      () => undefined,
    );
  }

  /** Never rejects: what goes wrong is told to who asked. */
  async #post(message: Message): Promise<void> {
    const isRequest = kindOf(message.value) === 'request';
    const own = message.value['id'];
    const abort = new AbortController();
    if (isRequest) this.#posts.set(idKey(own), abort);
    try {
      const response = await fetch(this.#server.url, {
        method: 'POST',
        headers: { ...this.#headers(message), 'content-type': 'application/json' },
        body: message.text,
        signal: AbortSignal.any([abort.signal, this.#closing.signal]),
      });
      await this.#answered(response, message, abort.signal);
    } catch (error) {
      if (!isRequest || abort.signal.aborted || this.#closing.signal.aborted) return;
      this.#listener.onFailed(
        own,
        error instanceof RpcError ? error : this.#lost(`can't be reached: ${causeOf(error)}`),
      );
    } finally {
      if (isRequest) this.#posts.delete(idKey(own));
    }
  }

  async #answered(response: Response, message: Message, signal: AbortSignal): Promise<void> {
    const { value } = message;
    if (!response.ok) throw await this.#refusal(response);
    if (value['method'] === 'initialize')
      this.#sessionId = response.headers.get('mcp-session-id') ?? undefined;
    const type = response.headers.get('content-type') ?? '';
    if (type.includes('text/event-stream')) {
      const isAnswered = await this.#read(response, value['id'], signal);
      if (!isAnswered && kindOf(value) === 'request')
        throw this.#lost('has ended the stream of an answer before the answer came');
      return;
    }
    const text = await response.text();
    if (type.includes('application/json') && text.trim() !== '') this.#message(text, value['id']);
  }

  /** Reads a stream of messages, and its rest where it breaks off; whether the answer to `own` was among them. */
  async #read(first: Response, own: unknown, signal: AbortSignal): Promise<boolean> {
    let response = first;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    for (let resumed = 0; resumed <= mostResumptions; resumed += 1) {
      try {
        for await (const { data, id, retry } of serverSentEvents(response.body ?? nothing())) {
          last = { id, retry };
          if (data.trim() === '') continue;
          resumed = 0;
          if (this.#message(data, own)) return true;
        }
      } catch (error) {
        if (last.id === undefined || signal.aborted) throw error;
      }
      if (last.id === undefined) return false;
      await sleep(last.retry ?? retryDelay, undefined, { signal: this.#closing.signal });
      const headers = { ...this.#headers(), 'last-event-id': last.id };
      response = await fetch(this.#server.url, { headers, signal });
      if (!response.ok) return false;
    }
    return false;
  }

  /** Hands a message on; whether it is, or holds, the answer to `own`. */
  #message(text: string, own: unknown): boolean {
    const found = parsedMessages(text);
    const messages = found === undefined ? [] : 'value' in found ? [found] : found;
    const isAnswer = ({ value }: Message) =>
      kindOf(value) === 'response' && idKey(value['id']) === idKey(own);
    const answer = own === undefined ? undefined : messages.find(isAnswer);
    const version = recordIn(answer?.value, 'result')['protocolVersion'];
    if (this.#told.initialize?.value['id'] === own && typeof version === 'string') this.#version = version;
    // What waits for it goes to the server as it is now, and is answered by that.
    if (
      this.#isReviving &&
      this.#told.initialize?.value['id'] === own &&
      answer?.value['error'] === undefined
    )
      this.#listener.onBack(answer);
    this.#listener.onMessage(text, own === undefined ? undefined : idKey(own));
    return answer !== undefined;
  }

  async #refusal(response: Response): Promise<RpcError> {
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
  async #revive(error: ServerLostError): Promise<void> {
    const { initialize } = this.#told;
    if (this.#isReviving || initialize === undefined) return;
    this.#isReviving = true;
    this.#sessionId = undefined;
    this.#listener.onLost(error);
    this.#welcome = this.#post(initialize);
    await this.#welcome;
    for (const message of this.#told.afterwards()) await this.#post(message);
    this.#isReviving = false;
    void this.#listen();
  }

  /** What the server says by itself, for as long as the session lasts. Not all do. */
  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    const session = this.#sessionId;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    while (!signal.aborted && session === this.#sessionId) {
      try {
        const resuming = last.id === undefined ? {} : { 'last-event-id': last.id };
        const response = await fetch(this.#server.url, {
          headers: { ...this.#headers(), ...resuming },
          signal,
        });
        if (!response.ok) {
          await response.body?.cancel();
          return;
        }
        for await (const { data, id, retry } of serverSentEvents(response.body ?? nothing())) {
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
      ...(typeof own === 'string' && typeof name === 'string' && { 'mcp-name': name }),
      ...headers,
      ...this.#server.headers,
      ...(this.#sessionId !== undefined && method !== 'initialize' && { 'mcp-session-id': this.#sessionId }),
    };
  }

  #lost(what: string): ServerLostError {
    return new ServerLostError(`toolstash: the server \`${this.#name}\` ${what}`);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** `fetch` says no more than that it failed. */
function causeOf(error: unknown): string {
  const cause = isRecord(error) ? error['cause'] : undefined;
  return messageOf(cause ?? error);
}
