/** One client's session with one server: all that either says, relayed, and the calls of cached tools answered. */

import type { CacheManager, ToolRules } from '../index.js';
import type { CacheAnswer } from '../mcp/cached-calls.js';
import type { CacheClientOptions } from '../mcp/client-options.js';
import type { CallShape } from '../mcp/tool-call.js';
import { CachedServer, type Tracking } from './cached-server.js';
import { type Edit, edited, jsonText } from './json-text.js';
import {
  answeredText,
  errorText,
  kindOf,
  type Message,
  type Messages,
  parsedMessages,
  parseErrorText,
  RpcError,
  recordIn,
  requestIds,
  ServerLostError,
} from './message.js';
import { PendingClientRequests } from './pending-client-requests.js';
import { type Pending, PendingRequests } from './pending-requests.js';
import type { LinkListener, OpenLink, ServerLink, ToClient } from './server-link.js';
import { ServerRequests } from './server-requests.js';

/** What a session is made from. */
export interface SessionInit {
  readonly cache: CacheManager;
  readonly rules: ToolRules;
  readonly options: CacheClientOptions;
  readonly open: OpenLink;
  /** @default undefined: no answer depends on what was done before */
  readonly tracking?: Tracking | undefined;
  /** Takes what the server says by itself. */
  readonly toClient: ToClient;
}

/** Sends what a server has said, with so many answers in it, to whom it is for, or to whom else it reaches. */
type Send = (text: string, answers: number, to?: ToClient) => void;

const [progress, cancelled] = ['notifications/progress', 'notifications/cancelled'];
/** A request that stays open for as long as its client listens. */
const listen = 'subscriptions/listen';
const subscription = ['params', '_meta', 'io.modelcontextprotocol/subscriptionId'];
/** The session of one client. */
export class Session implements LinkListener {
  readonly #link: ServerLink;
  readonly #toClient: ToClient;
  readonly #cached: CachedServer;
  readonly #worlds: Tracking['worlds'] | undefined;
  readonly #pending = new PendingRequests();
  readonly #asked = new PendingClientRequests();
  /** What aborts the next call: of one that was answered from memory, and that nobody has looked at. */
  #spare: AbortController | undefined;
  readonly #askedByServer = new ServerRequests(this.#pending.prefix);

  constructor({ cache, rules, options, open, toClient, tracking }: SessionInit) {
    this.#worlds = tracking?.worlds;
    this.#toClient = toClient;
    this.#cached = new CachedServer({
      ...{ cache, rules, options, tracking },
      ask: (message, to) => this.#ask(message, to),
    });
    this.#link = open(this);
  }

  /** Takes what the client says; answers go to `to`. */
  receive(text: string, to: ToClient = this.#toClient, messages: Messages = parsedMessages(text)): void {
    if (messages === undefined) to(parseErrorText(text), 1);
    else if (!('value' in messages)) this.#relayBatch(messages, to);
    else {
      const call = this.#cached.callIn(messages);
      if (call === undefined) this.#relay(messages, to);
      else this.#answer(messages, call, to);
    }
  }

  /** Resolves once more can be received; `undefined`: now. */
  room(): Promise<void> | undefined {
    return this.#link.room();
  }

  /** Holds back what the server says, or lets it come again. */
  hold(isHeld: boolean): void {
    this.#link.hold(isHeld);
  }

  /** Resolves once nothing of the client's is under way. */
  idle(): Promise<void> {
    return this.#asked.idle(({ by }) => typeof by !== 'string' || this.#pending.get(by)?.method !== listen);
  }

  async close(): Promise<void> {
    await this.#link.close();
    this.#lost(new ServerLostError('toolstash: the session is closed'));
    this.#worlds?.close();
  }

  onMessage(text: string, answering?: string, messages: Messages = parsedMessages(text)): void {
    const unasked =
      (answering === undefined ? undefined : this.#pending.get(answering))?.to ?? this.#toClient;
    if (messages === undefined) {
      unasked(text);
      return;
    }
    if ('value' in messages) {
      this.#fromServer(messages, (message, answers, to = unasked) => to(message, answers));
      return;
    }
    const batches = new Map<ToClient, { texts: string[]; answers: number }>();
    for (const each of messages) {
      this.#fromServer(each, (message, answers, to = unasked) => {
        const batch = batches.get(to) ?? { texts: [], answers: 0 };
        batch.texts.push(message);
        batch.answers += answers;
        batches.set(to, batch);
      });
    }
    for (const [to, { texts, answers }] of batches) to(`[${texts.join()}]`, answers);
  }

  onStream(id: unknown): void {
    this.#pending.get(id)?.to.asStream?.();
  }

  onFailed(id: unknown, error: Error): void {
    const pending = this.#pending.take(id);
    if (this.#link.endsWork) pending?.change?.over();
    else pending?.change?.lost();
    pending?.reject(error);
  }

  onLost(error: ServerLostError): void {
    this.#worlds?.forget();
    this.#lost(error);
  }

  #lost(error: ServerLostError): void {
    this.#cached.lost(error);
    for (const { change, reject } of this.#pending.clear()) {
      if (this.#link.endsWork) change?.over();
      else change?.lost();
      reject(error);
    }
    for (const id of this.#askedByServer.clear()) {
      const params = `{"requestId":${jsonText(id)},"reason":${jsonText(error.message)}}`;
      this.#toClient(`{"jsonrpc":"2.0","method":"${cancelled}","params":${params}}`);
    }
  }

  onBack(welcome?: Message): void {
    this.#cached.reconnected(welcome?.value['result']);
  }

  /** A call of a tool that may be cached. */
  #answer(message: Message, call: CallShape, to: ToClient): void {
    const { id } = message.value;
    const by = this.#spare ?? new AbortController();
    this.#spare = undefined;
    const { signal } = by;
    const asked = { by, to };
    let isBegun = false;
    const isOpen = () => !isBegun || this.#asked.get(id, to) === asked;
    const textOf = (found: CacheAnswer) => found && answeredText(id, found);
    const settle = (answer: string | undefined) => {
      if (answer === undefined) this.#relay(message, to);
      else to(answer, 1);
    };
    let answer: string | undefined;
    try {
      const found = this.#cached.answer(message, call, { signal, isOpen, to });
      isBegun = true;
      if (found instanceof Promise) {
        this.#asked.begin(id, asked);
        const settled = found.then(textOf).catch((error) => errorText(id, error));
        void settled.then((text) => {
          if (signal.aborted) return;
          if (isOpen()) this.#asked.end(id, to);
          settle(text);
        });
        return;
      }
      answer = textOf(found);
      // One costs more than all else of a hit, and nobody has looked at it.
      this.#spare = by;
    } catch (error) {
      isBegun = true;
      answer = errorText(id, error);
    }
    settle(answer);
  }

  #relay(message: Message, to: ToClient): void {
    const mapped = this.#mapped(message, to);
    if (mapped !== undefined) this.#pass(mapped);
  }

  #relayBatch(messages: readonly Message[], to: ToClient): void {
    const relayed = messages.flatMap((each) => this.#mapped(each, to) ?? []);
    const [text, ids] = [`[${relayed.map((each) => each.text).join()}]`, relayed.flatMap(requestIds)];
    if (relayed.length > 0) this.#pass({ text, value: {}, ids });
  }

  #pass(message: Message): void {
    try {
      this.#link.send(message);
    } catch (error) {
      if (!(error instanceof ServerLostError)) throw error;
      for (const id of requestIds(message)) this.onFailed(id, error);
    }
  }

  /** A message of the client's with own ids; `undefined`: it is not for the server. */
  #mapped(message: Message, to: ToClient): Message | undefined {
    const { value, text } = message;
    const { id, method, params } = value;
    this.#cached.heard(value);
    switch (kindOf(value)) {
      case 'request': {
        const token = recordIn(params, '_meta')['progressToken'];
        return this.#registered(message, {
          method: method as string,
          ...{ client: { id, to }, token: () => token, to, change: this.#cached.change(message, to) },
          reject: (error) => {
            this.#asked.end(id, to);
            to(errorText(id, error), 1);
          },
        });
      }
      case 'notification':
        if (method === cancelled) return this.#cancel(message, to);
        this.#cached.change(message, to)?.unanswered();
        return message;
      case 'response':
        // One to a server that is no more is nobody's.
        return this.#askedByServer.answered(message);
      default:
        if (typeof method === 'string') this.#cached.change(message, to)?.unanswered();
        return { text, value: {} };
    }
  }

  #cancel({ text, value }: Message, to: ToClient): Message | undefined {
    const { requestId } = recordIn(value, 'params');
    const asked = this.#asked.get(requestId, to);
    if (asked === undefined) return undefined;
    this.#asked.end(requestId, to);
    // There is no answer any more that one could wait for.
    asked.to('', 1);
    const { by } = asked;
    if (typeof by !== 'string') {
      by.abort(new Error('The client has cancelled the call'));
      return undefined;
    }
    this.#pending.cancel(by);
    const params = { ...recordIn(value, 'params'), requestId: by };
    return { text: edited(text, [[['params', 'requestId'], jsonText(by)]]), value: { ...value, params } };
  }

  #registered(message: Message, pending: Pending): Message {
    const registered = this.#pending.add(message, pending);
    const { client } = pending;
    const by = registered.value['id'] as string;
    if (client !== undefined) this.#asked.begin(client.id, { by, to: client.to });
    return registered;
  }

  /** Asks the server something of our own, or a call in the place of the client, whose progress goes to `to`. */
  #ask(
    message: Message,
    { signal, token, to }: { signal: AbortSignal; token(): unknown; to: ToClient },
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => {
        this.#pending.take(asked.value['id']);
        const params = `{"requestId":${jsonText(asked.value['id'])},"reason":"nobody waits for it any more"}`;
        this.#pass({ text: `{"jsonrpc":"2.0","method":"${cancelled}","params":${params}}`, value: {} });
        reject(signal.reason);
      };
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal.removeEventListener('abort', abort);
          settle(value);
        };
      const asked = this.#registered(message, {
        method: message.value['method'] as string,
        ...{ token, to },
        resolve: settled(resolve),
        reject: settled(reject),
      });
      signal.addEventListener('abort', abort);
      this.#pass(asked);
    });
  }

  #fromServer(message: Message, send: Send): void {
    const { value, text } = message;
    const { method, params } = value;
    this.#cached.said(value);
    const kind = kindOf(value);
    if (kind === 'response') {
      this.#response(message, send);
      return;
    }
    if (kind === 'request' || method === cancelled) {
      send(this.#askedByServer[kind === 'request' ? 'asked' : 'cancelled'](message), 0);
      return;
    }
    if (method === progress) {
      const asked = this.#pending.asking(recordIn(value, 'params')['progressToken']);
      const token = asked?.token();
      if (asked === undefined || token === undefined) return;
      send(edited(text, [[['params', 'progressToken'], jsonText(token)]]), 0, asked.to);
      return;
    }
    const subscribed = recordIn(params, '_meta')['io.modelcontextprotocol/subscriptionId'];
    const listening = subscribed === undefined ? undefined : this.#pending.get(subscribed)?.client;
    if (listening === undefined) send(text, 0);
    else send(edited(text, [[subscription, jsonText(listening.id)]]), 0, listening.to);
  }

  #response(message: Message, send: Send): void {
    const { id, result, error } = message.value;
    const pending = this.#pending.take(id);
    // Of a request that was cancelled, or of a server that was told again.
    if (pending === undefined) return;
    if (recordIn({ result }, 'result')['task'] !== undefined) this.#pending.goesOn(id, pending);
    const { client, method, change } = pending;
    change?.answered(error === undefined ? result : undefined);
    this.#cached.answered(method, result, client !== undefined);
    if (client === undefined) {
      if (error !== undefined) pending.reject(new RpcError(error));
      else pending.resolve?.(result);
      return;
    }
    this.#asked.end(client.id, client.to);
    const edits: Edit[] = [[['id'], jsonText(client.id)]];
    if (method === listen) edits.push([['result', ...subscription.slice(1)], jsonText(client.id)]);
    send(edited(message.text, edits), 1, client.to);
  }
}
