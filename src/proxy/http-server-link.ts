/** A server behind Streamable HTTP: each message is a request of its own, whose answer may be a stream of messages. */

import { isRecord } from '../mcp/mcp-client.js';
import { type Deferred, deferred } from './deferred.js';
import { always, ask, causeOf, type HttpAnswer, Stop } from './http-request.js';
import {
  harmless,
  idKey,
  kindOf,
  type Message,
  type Messages,
  parsedMessages,
  RpcError,
  recordIn,
  requestIds,
  ServerLostError,
} from './message.js';
import { routingHeaders } from './routing-headers.js';
import type { LinkListener, ServerLink } from './server-link.js';
import { serverSentEvents } from './server-sent-events.js';
import { SessionSetupMessages } from './session-setup-messages.js';
import { Turns } from './turns.js';

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

/** A message on its way, the ids that are not answered yet, by their keys, and what ends it. */
interface Asked {
  readonly message: Message;
  readonly open: Map<string, unknown>;
  readonly stop: Stop;
}

/** A link to such a server. */
export class HttpServerLink implements ServerLink {
  readonly endsWork = false;
  readonly #name: string;
  readonly #server: HttpServer;
  readonly #listener: LinkListener;
  readonly #place: URL;
  readonly #told = new SessionSetupMessages();
  #isClosed = false;
  /** What ends all that is under way. */
  readonly #stops = new Set<Stop>();
  /** Requests under way, by own id. */
  readonly #posts = new Map<string, Stop>();
  #sessionId: string | undefined;
  #version: string | undefined;
  /** What everything else waits for: the answer to `initialize`. `undefined`: it is there. */
  #welcome: Promise<unknown> | undefined;
  readonly #turns = new Turns();
  /** What waits until the client takes more. */
  #held: Deferred | undefined;
  #isReviving = false;
  /** The server has forgotten the session, and has begun no other. */
  #isForgotten = false;

  constructor(name: string, server: HttpServer, listener: LinkListener) {
    this.#name = name;
    this.#server = server;
    this.#place = new URL(server.url);
    this.#listener = listener;
  }

  send(message: Message): void {
    if (this.#isClosed) throw this.#lost('is closed');
    const { method, params } = message.value;
    // From 2026-07-28 on nothing else ends a request.
    const cancelled =
      method === 'notifications/cancelled' ? recordIn({ params }, 'params')['requestId'] : undefined;
    const post = this.#posts.get(idKey(cancelled));
    if (post !== undefined && this.#sessionId === undefined && this.#version === undefined) {
      post.stop();
      return;
    }
    this.#told.note(message);
    if (this.#isForgotten) void this.#revive();
    const sent = this.#sent(message);
    if (method === 'initialize') this.#welcomedBy(sent);
    if (method === 'notifications/initialized') void sent.then(() => this.#listen());
  }

  #welcomedBy(sent: Promise<unknown>): void {
    this.#welcome = sent;
    void sent.then(() => {
      if (this.#welcome === sent) this.#welcome = undefined;
    });
  }

  /** Each is a connection of its own, and might overtake a notification: what comes after one waits until it is taken. */
  #sent(message: Message): Promise<void> {
    const before = this.#turns.last;
    const taken = requestIds(message).length === 0 ? this.#turns.begin() : undefined;
    const welcome = message.value['method'] === 'initialize' ? undefined : this.#welcome;
    if (before === undefined && welcome === undefined) return this.#post(message, taken);
    return this.#postAfter(before, message, taken);
  }

  async #postAfter(before: Promise<void> | undefined, message: Message, taken?: () => void): Promise<void> {
    await before;
    if (message.value['method'] !== 'initialize') await this.#welcome;
    await this.#post(message, taken);
  }

  room(): Promise<void> | undefined {
    return this.#turns.room();
  }

  hold(isHeld: boolean): void {
    if (isHeld) this.#held ??= deferred();
    else {
      this.#held?.end();
      this.#held = undefined;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.hold(false);
    for (const stop of this.#stops) stop.stop();
    if (this.#sessionId === undefined) return;
    const stop = new Stop();
    // The server may know nothing of it any more, or be away.
    const late = setTimeout(() => stop.stop(), 2_000).unref();
    const headers = this.#headers();
    await ask(this.#place, { method: 'DELETE', headers, stop, isRepeatable: true }).then(
      (answer) => answer.leave(),
      () => undefined,
    );
    clearTimeout(late);
  }

  /** Never rejects: what goes wrong is told to who asked. */
  async #post(message: Message, onTaken?: () => void): Promise<void> {
    const ids = requestIds(message);
    const open = new Map(ids.map((id) => [idKey(id), id]));
    const stop = new Stop();
    this.#stops.add(stop);
    for (const id of ids) this.#posts.set(idKey(id), stop);
    const late = onTaken && setTimeout(onTaken, longestTurn).unref();
    try {
      if (this.#isForgotten && !this.#isReviving)
        throw this.#lost('has forgotten the session, and begins no other');
      if (this.#isClosed) return;
      const response = await ask(this.#place, {
        method: 'POST',
        headers: this.#headers(message),
        body: message.text,
        ...{ stop, isRepeatable: harmless.has(message.value['method'] as string) },
      });
      onTaken?.();
      await this.#answered(response, { message, open, stop });
    } catch (error) {
      if (stop.isStopped) return;
      const told = error instanceof RpcError ? error : this.#lost(`can't be reached: ${causeOf(error)}`);
      for (const id of open.values()) this.#listener.onFailed(id, told);
    } finally {
      onTaken?.();
      clearTimeout(late);
      this.#stops.delete(stop);
      for (const id of ids) this.#posts.delete(idKey(id));
    }
  }

  async #answered(response: HttpAnswer, { message: { value }, open, stop }: Asked): Promise<void> {
    if (!response.isOk) throw await this.#refusal(response);
    if (value['method'] === 'initialize')
      this.#sessionId = response.headers['mcp-session-id'] as string | undefined;
    const type = response.headers['content-type'] ?? '';
    if (type.includes('text/event-stream')) {
      for (const id of open.values()) this.#listener.onStream(id);
      await this.#read(response, open, stop);
      if (open.size > 0) throw this.#lost('has ended the stream of an answer before the answer came');
      return;
    }
    const text = await response.text();
    const found = type.includes('application/json') ? parsedMessages(text) : undefined;
    if (found !== undefined) this.#message(text, found, open);
    if (open.size > 0)
      throw this.#lost(`has sent HTTP ${response.status} (${type || 'no type'}), in which is no answer`);
  }

  /** Reads a stream of messages, and its rest where it breaks off, until nothing is open any more. */
  async #read(first: HttpAnswer, open: Asked['open'], stop: Stop): Promise<void> {
    const isRequest = open.size > 0;
    let response = first;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    for (let resumed = 0; resumed <= mostResumptions; resumed += 1) {
      try {
        for await (const { data, id, retry } of serverSentEvents(response.body())) {
          last = { id, retry };
          if (data.trim() === '') continue;
          resumed = 0;
          this.#message(data, parsedMessages(data), open);
          if (isRequest && open.size === 0) {
            response.leave();
            return;
          }
          await this.#held?.over;
        }
      } catch (error) {
        if (last.id === undefined || stop.isStopped) throw error;
      }
      if (last.id === undefined) return;
      await stop.wait(last.retry ?? retryDelay);
      if (stop.isStopped) return;
      const headers = { ...this.#headers(), 'last-event-id': last.id };
      response = await ask(this.#place, { method: 'GET', headers, stop, isRepeatable: true });
      if (!response.isOk) {
        response.leave();
        return;
      }
    }
  }

  /** Hands a message on, and strikes out what it answers. */
  #message(text: string, found: Messages, open?: Asked['open']): void {
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
    this.#listener.onMessage(text, own as string | undefined, found);
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
    this.#welcomedBy(begun);
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
    const stop = new Stop();
    this.#stops.add(stop);
    const session = this.#sessionId;
    let last: { id: string | undefined; retry: number | undefined } = { id: undefined, retry: undefined };
    while (!this.#isClosed && session === this.#sessionId) {
      try {
        const resuming = last.id === undefined ? {} : { 'last-event-id': last.id };
        const headers = { ...this.#headers(), ...resuming };
        const response = await ask(this.#place, { method: 'GET', headers, stop, isRepeatable: true });
        if (!response.isOk) {
          response.leave();
          break;
        }
        for await (const { data, id, retry } of serverSentEvents(response.body())) {
          last = { id, retry };
          if (data.trim() !== '') this.#message(data, parsedMessages(data));
          await this.#held?.over;
        }
      } catch (error) {
        // It is asked again, and the next call tells whether the server is there.
        if (stop.isStopped) break;
        process.emitWarning(
          `The stream of the server \`${this.#name}\` has broken off: ${causeOf(error)}`,
          'ToolstashWarning',
        );
      }
      await stop.wait(last.retry ?? retryDelay);
    }
    this.#stops.delete(stop);
  }

  #headers(message?: Message): Record<string, string> {
    const isFirst = message?.value['method'] === 'initialize';
    const headers: Record<string, string> = { ...always, accept: 'application/json, text/event-stream' };
    if (message !== undefined) headers['content-type'] = 'application/json';
    if (this.#version !== undefined && !isFirst) headers['mcp-protocol-version'] = this.#version;
    Object.assign(headers, message && routingHeaders(message), this.#server.headers);
    if (this.#sessionId !== undefined && !isFirst) headers['mcp-session-id'] = this.#sessionId;
    return headers;
  }

  #lost(what: string): ServerLostError {
    return new ServerLostError(`toolstash: the server \`${this.#name}\` ${what}`);
  }
}
