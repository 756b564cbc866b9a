/** Messages between nodes: to all who listen on a topic, and requests that one of them answers. */

import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../clock.js';
import { type Duration, positiveDuration } from '../duration.js';
import { type CacheError, InvalidArgumentError, messageOf } from '../errors.js';
import { functionOf, shown } from '../option-checks.js';
import { held } from '../remote/within.js';
import type { ValueCodec } from '../value/codec.js';
import type { SessionCommands } from './session-commands.js';
import { asCacheError, RequestError } from './session-errors.js';
import type { SessionRequests, SessionTopics, SessionTypes } from './session-types.js';

/** Where a message comes from. */
export interface MessageSource {
  /** What it was sent under. */
  readonly topic: string;
  /** The name of the node that has sent it: its `node` option. */
  readonly node: string;
}

/** How a request is made. */
export interface RequestOptions {
  /**
   * The incarnation of the node that is to answer, as `owner(id)` tells it.
   * @default whoever answers first
   */
  readonly to?: string | undefined;
  /**
   * How long to wait for the answer, in ms or as text.
   * @default '5s'
   */
  readonly timeout?: Duration | undefined;
}

/** What messages are sent with. */
export interface SessionMessagesInit {
  readonly commands: SessionCommands;
  readonly codec: ValueCodec;
  readonly clock: Clock;
  readonly node: string;
  /** Begins the names of this node's incarnations. */
  readonly id: string;
  /** The channels that the link is subscribed to. */
  readonly channels: Set<string>;
  readonly subscribe: () => Promise<void>;
  readonly onError: (error: CacheError) => void;
}

interface Header {
  readonly kind: 'message' | 'request' | 'reply' | 'failure';
  readonly topic: string;
  readonly node: string;
  /** Of a request and of what is answered to it. */
  readonly number?: string;
  /** Whom to answer. */
  readonly id?: string;
}

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: CacheError) => void;
  readonly timer: Timer;
}

type Listener = (payload: unknown, source: MessageSource) => unknown;
type Handler = (request: unknown, source: MessageSource) => unknown;

/** How soon a subscription that has failed is made again, in ms. */
const retryMs = 500;

/** Messages between the nodes that share a `prefix`. Subscriptions are made anew whenever the connection was lost. */
export class SessionMessages<T extends SessionTypes = SessionTypes> {
  readonly #init: SessionMessagesInit;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #handlers = new Map<string, Handler>();
  readonly #waiting = new Map<string, Waiting>();
  #isClosed = false;

  /** @internal */
  constructor(init: SessionMessagesInit) {
    this.#init = init;
    init.channels.add(this.#inbox(init.id));
  }

  /**
   * Tells all nodes that listen on a topic; how many there were, this one included if it does. Nothing is kept for those who are
   * not connected. Rejects with `ERR_UNSTORABLE_VALUE` for what can't be encoded, and with `ERR_STORAGE` without Redis.
   */
  async publish<K extends keyof SessionTopics<T> & string>(
    topic: K,
    payload: SessionTopics<T>[K],
  ): Promise<number> {
    const message = this.#encode({ kind: 'message', topic: topicOf(topic), node: this.#init.node }, payload);
    return await this.#init.commands.publish(this.#channelOf(topic), message);
  }

  /**
   * Listens on a topic; call what it resolves to, to stop. It resolves once the subscription stands, or at once where Redis is not
   * connected: it is made when it is.
   */
  async on<K extends keyof SessionTopics<T> & string>(
    topic: K,
    listener: (payload: SessionTopics<T>[K], source: MessageSource) => unknown,
  ): Promise<() => void> {
    functionOf(listener, `the listener of ${topicOf(topic)}`);
    const own: Listener = (payload, source) => listener(payload as SessionTopics<T>[K], source);
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(own));
    await this.#follow(this.#channelOf(topic), true);
    return () => {
      listeners.delete(own);
      if (listeners.size > 0 || this.#listeners.get(topic) !== listeners) return;
      this.#listeners.delete(topic);
      void this.#follow(this.#channelOf(topic), false);
    };
  }

  /**
   * Answers the requests of a topic, one handler per topic and node; call what it resolves to, to stop. What the handler throws
   * the asking side gets as `ERR_REQUEST_FAILED`.
   */
  async answer<K extends keyof SessionRequests<T> & string>(
    topic: K,
    handler: (
      request: SessionRequests<T>[K] extends { readonly request: infer Q } ? Q : unknown,
      source: MessageSource,
    ) => ReplyOf<T, K> | Promise<ReplyOf<T, K>>,
  ): Promise<() => void> {
    functionOf(handler, `the handler of ${topicOf(topic)}`);
    if (this.#handlers.has(topic))
      throw new InvalidArgumentError(`Expected one handler of the topic \`${topic}\` on this node, got two`);
    this.#handlers.set(topic, handler as Handler);
    await this.#follow(this.#askChannelOf(topic), true);
    return () => {
      if (this.#handlers.get(topic) !== handler) return;
      this.#handlers.delete(topic);
      void this.#follow(this.#askChannelOf(topic), false);
    };
  }

  /**
   * Asks whoever answers a topic, or one node; the first reply counts. Rejects with `ERR_REQUEST_FAILED` where nobody
   * listens, no reply comes in time, or the handler has failed, and as `publish` does.
   */
  async request<K extends keyof SessionRequests<T> & string>(
    topic: K,
    request: SessionRequests<T>[K] extends { readonly request: infer Q } ? Q : unknown,
    { to, timeout = '5s' }: RequestOptions = {},
  ): Promise<ReplyOf<T, K>> {
    const ms = positiveDuration(timeout, 'timeout');
    const { node, id, commands, clock } = this.#init;
    const number = randomBytes(8).toString('hex');
    const message = this.#encode({ kind: 'request', topic: topicOf(topic), node, number, id }, request);
    const channel = to === undefined ? this.#askChannelOf(topic) : this.#inbox(to.replace(/\..*/s, ''));
    const reply = new Promise<unknown>((resolve, reject) => {
      const late = () => {
        this.#waiting.delete(number);
        reject(new RequestError(`Nobody answered \`${topic}\` within ${ms} ms`));
      };
      // Somebody waits for it.
      const timer = clock.schedule(late, ms, { holdsProcess: true });
      this.#waiting.set(number, { resolve, reject, timer });
    });
    reply.catch(() => undefined);
    try {
      const receivers = await commands.publish(channel, message);
      if (receivers === 0) throw new RequestError(`Nobody is there to answer \`${topic}\``);
    } catch (error) {
      this.#take(number);
      throw error;
    }
    return (await reply) as ReplyOf<T, K>;
  }

  /** What has come on a channel that is not about the registry itself. @internal */
  hear(bytes: Buffer): void {
    try {
      const end = bytes.indexOf(10);
      const header = JSON.parse(bytes.toString('utf8', 0, end)) as Header;
      const encoded = bytes.subarray(end + 1);
      if (header.kind === 'message') this.#deliver(header, encoded);
      else if (header.kind === 'request') void this.#respond(header, encoded);
      else this.#settle(header, encoded);
    } catch (error) {
      this.#failed(error, 'A message could not be read');
    }
  }

  /** Nobody will be answered any more. @internal */
  close(cause: CacheError): void {
    this.#isClosed = true;
    for (const number of [...this.#waiting.keys()]) this.#take(number)?.reject(cause);
  }

  #deliver({ topic, node }: Header, encoded: Buffer): void {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) {
      const fail = (error: unknown) => this.#failed(error, `A listener of \`${topic}\` failed`);
      try {
        // Each gets a payload of its own.
        const returned: unknown = listener(this.#init.codec.decode(encoded), { topic, node });
        if (returned instanceof Promise) returned.catch(fail);
      } catch (error) {
        fail(error);
      }
    }
  }

  async #respond({ topic, node, number, id = '' }: Header, encoded: Buffer): Promise<void> {
    const handler = this.#handlers.get(topic);
    const { codec, commands } = this.#init;
    const own = { topic, node: this.#init.node, ...(number !== undefined && { number }) };
    let message: Buffer;
    try {
      if (handler === undefined) throw new RequestError(`This node does not answer \`${topic}\``);
      const reply = await handler(codec.decode(encoded), { topic, node });
      message = this.#encode({ kind: 'reply', ...own }, reply);
    } catch (error) {
      message = this.#encode({ kind: 'failure', ...own }, messageOf(error));
    }
    try {
      await commands.publish(this.#inbox(id), message);
    } catch (error) {
      this.#failed(error, `A request of \`${topic}\` could not be answered`);
    }
  }

  #settle({ kind, topic, node, number = '' }: Header, encoded: Buffer): void {
    const waiting = this.#take(number);
    if (waiting === undefined) return;
    try {
      const reply = this.#init.codec.decode(encoded);
      if (kind === 'reply') waiting.resolve(reply);
      else waiting.reject(new RequestError(`\`${topic}\` failed on \`${node}\`: ${String(reply)}`));
    } catch (error) {
      waiting.reject(asCacheError(error, `The reply to \`${topic}\` can't be read`));
    }
  }

  #take(number: string): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    waiting?.timer.cancel();
    this.#waiting.delete(number);
    return waiting;
  }

  async #follow(channel: string, isWanted: boolean): Promise<void> {
    const { channels, subscribe, clock } = this.#init;
    if (isWanted) channels.add(channel);
    else channels.delete(channel);
    // Somebody waits for it, whom our sockets would not keep.
    await held(subscribe()).catch((error: unknown) => {
      this.#failed(error, 'A subscription could not be changed');
      // The next connection makes it; this one may live on.
      if (!this.#isClosed) clock.schedule(() => void this.#follow(channel, channels.has(channel)), retryMs);
    });
  }

  #encode(header: Header, payload: unknown): Buffer {
    return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), this.#init.codec.encode(payload)]);
  }

  #failed(error: unknown, message: string): void {
    this.#init.onError(asCacheError(error, message));
  }

  #channelOf(topic: string): string {
    return this.#init.commands.channel(`topic:${topic}`);
  }

  #askChannelOf(topic: string): string {
    return this.#init.commands.channel(`ask:${topic}`);
  }

  #inbox(id: string): string {
    return this.#init.commands.channel(`inbox:${id}`);
  }
}

/** The reply to requests of a topic. */
type ReplyOf<T extends SessionTypes, K extends keyof SessionRequests<T>> = SessionRequests<T>[K] extends {
  readonly reply: infer R;
}
  ? R
  : unknown;

/** @throws InvalidArgumentError */
function topicOf(topic: string): string {
  if (typeof topic === 'string' && topic !== '' && topic.isWellFormed()) return topic;
  throw new InvalidArgumentError(
    `Expected a topic to be a well-formed, non-empty string, got ${shown(topic)}`,
  );
}
