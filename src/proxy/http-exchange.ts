/** The answer to one HTTP request: a JSON body where that is all there is to say and the server has said it so, else a stream of events. */

import type { ServerResponse } from 'node:http';
import { parsedMessages } from './message.js';
import { eventOf } from './server-sent-events.js';

/** How much of a stream may wait for its client to read it, in bytes, before something is done about it. */
const mostUnread = 4 * 2 ** 20;
/** A comment, which says nothing else. */
const stillAlive = ':\n\n';

const streamHead = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' };

/** One response under way. */
export class Exchange {
  readonly #response: ServerResponse;
  /** Answers that are still to come; a stream of a session has no end of its own. */
  #owed: number;
  #hasEnded = false;
  #onError: (() => void) | undefined;
  #onFull: ((isFull: boolean) => void) | undefined;
  #isFull = false;
  #hasWaited = false;
  #isStream = false;

  constructor(response: ServerResponse, owed = Number.POSITIVE_INFINITY) {
    this.#response = response;
    this.#owed = owed;
    if (owed === Number.POSITIVE_INFINITY) this.#stream(stillAlive);
  }

  /** Sends a message, which holds so many of the answers. */
  send(text: string, answers = 0): void {
    if (this.#hasEnded) return;
    this.#owed -= answers;
    const hasFailed = answers > 0 && this.#onError !== undefined && isError(text);
    if (hasFailed && !this.#response.headersSent) this.#response.removeHeader('mcp-session-id');
    if (hasFailed) this.#onError?.();
    if (this.#owed <= 0 && !this.#response.headersSent) {
      this.#hasEnded = true;
      // Of what was cancelled there is nothing to say.
      if (text === '') this.#response.writeHead(202).end();
      else {
        const body = this.#isStream ? eventOf(text) : text;
        const type = this.#isStream ? streamHead : { 'content-type': 'application/json' };
        this.#response.writeHead(200, { ...type, 'content-length': Buffer.byteLength(body) }).end(body);
      }
      return;
    }
    if (text !== '') this.#stream(eventOf(text));
    if (this.#owed <= 0) this.end();
  }

  /** What is to be said comes by a stream. */
  asStream(): void {
    this.#isStream = true;
  }

  /** Says that it is alive, where it does not do so the first time: most are answered sooner, and then by a JSON body. */
  keepAlive(): void {
    const isYoung = !this.#hasWaited && !this.#response.headersSent;
    this.#hasWaited = true;
    if (!isYoung && !this.#isFull) this.#stream(stillAlive);
  }

  /** Whether more can be said. */
  get isOpen(): boolean {
    return !this.#hasEnded && !this.#response.destroyed;
  }

  /** Ends it, whatever is still to come. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#response.end();
  }

  /** Ends it with what its client has not read. */
  breakOff(): void {
    this.#response.destroy();
  }

  onEnd(listener: () => void): void {
    this.#response.on('close', listener);
  }

  /** The client has gone before all answers came. */
  onBreak(listener: () => void): void {
    this.#response.on('close', () => {
      if (!this.#hasEnded) listener();
    });
  }

  /** The same, or an answer is an error: no session has begun. */
  onFailure(listener: () => void): void {
    this.onBreak(listener);
    this.#onError = listener;
  }

  /** The client does not read what it is sent, or does again. */
  onFull(listener: (isFull: boolean) => void): void {
    this.#onFull = listener;
  }

  #stream(event: string): void {
    const response = this.#response;
    if (this.#hasEnded || response.destroyed) return;
    if (!response.headersSent) {
      response.writeHead(200, streamHead);
    }
    response.write(event);
    if (this.#isFull || response.writableLength <= mostUnread) return;
    this.#setFull(true);
    const drained = () => {
      response.off('drain', drained).off('close', drained);
      this.#setFull(false);
    };
    response.on('drain', drained).on('close', drained);
  }

  #setFull(isFull: boolean): void {
    this.#isFull = isFull;
    this.#onFull?.(isFull);
  }
}

function isError(text: string): boolean {
  const found = parsedMessages(text);
  return found !== undefined && 'value' in found && found.value['error'] !== undefined;
}
