/** A session of a client over HTTP: its requests that are open, its stream, and what waits for one. */

import type { ServerResponse } from 'node:http';
import { Exchange } from './http-exchange.js';
import type { ToClient } from './server-link.js';
import type { ClientSession } from './session-group.js';

/** Messages of the server's that wait for a stream, at most, and their characters. */
const [mostUnsaid, mostUnsaidText] = [1_000, 4 * 2 ** 20];
/** For how long the server is held back for a client that does not read, in ms. */
const longestStall = 30_000;

/** Whose it is. */
export interface Owner {
  readonly principal: string;
  /** It is one for all clients of a principal whose revision has no sessions. */
  readonly isShared: boolean;
}

/** One session, as the front knows it. */
export class HttpSession {
  readonly session: ClientSession;
  readonly principal: string;
  readonly isShared: boolean;
  lastUsed = performance.now();
  /** Requests that are open. */
  readonly #exchanges = new Set<Exchange>();
  /** The stream of what the server says by itself. */
  #stream: Exchange | undefined;
  /** What came when no stream was open. */
  readonly #unsaid: string[] = [];
  #unsaidText = 0;
  /** Those whose client does not read, and until when it is waited for. */
  readonly #full = new Map<Exchange, NodeJS.Timeout>();

  /** @param open begins it; what the server says by itself goes to `toClient` */
  constructor({ principal, isShared }: Owner, open: (toClient: ToClient) => ClientSession) {
    this.principal = principal;
    this.isShared = isShared;
    this.session = open((text) => this.#said(text));
  }

  get hasStream(): boolean {
    return this.#stream !== undefined;
  }

  get isIdle(): boolean {
    return this.#exchanges.size === 0 && !this.hasStream;
  }

  /** Takes a request's response, until that is over. */
  begin(exchange: Exchange): void {
    this.#exchanges.add(exchange);
    exchange.onEnd(() => {
      this.#exchanges.delete(exchange);
      this.lastUsed = performance.now();
    });
    exchange.onFull((isFull) => this.#setFull(exchange, isFull));
  }

  /** Begins the stream of what the server says by itself. */
  listen(response: ServerResponse, onEnd: () => void): void {
    const stream = new Exchange(response);
    this.#stream = stream;
    stream.onEnd(() => {
      this.#stream = undefined;
      this.lastUsed = performance.now();
      onEnd();
    });
    // No call waits for it, and its client can open it again.
    stream.onFull((isFull) => {
      if (isFull) stream.breakOff();
    });
    this.#unsaidText = 0;
    for (const text of this.#unsaid.splice(0)) stream.send(text);
  }

  keepAlive(): void {
    this.#stream?.keepAlive();
    for (const exchange of this.#exchanges) exchange.keepAlive();
  }

  async close(): Promise<void> {
    await this.session.close();
    this.#stream?.end();
    for (const exchange of this.#exchanges) exchange.end();
  }

  /** The server has said something by itself. */
  #said(text: string): void {
    // Of all clients it is none in particular.
    if (this.isShared) return;
    // What it asks during a call reaches a client that has no other stream.
    const stream = this.#stream ?? [...this.#exchanges].findLast(({ isOpen }) => isOpen);
    if (stream !== undefined) {
      stream.send(text);
      return;
    }
    this.#unsaidText += text.length;
    if (this.#unsaid.length < mostUnsaid && this.#unsaidText < mostUnsaidText) this.#unsaid.push(text);
  }

  /** Who doesn't read gets no more. The server of many clients waits for none of them. */
  #setFull(exchange: Exchange, isFull: boolean): void {
    clearTimeout(this.#full.get(exchange));
    this.#full.delete(exchange);
    if (isFull && this.isShared) exchange.breakOff();
    else if (isFull) this.#full.set(exchange, setTimeout(() => exchange.breakOff(), longestStall).unref());
    if (!this.isShared) this.session.hold(this.#full.size > 0);
  }
}
