/** The answer to one HTTP request: a JSON body where that is all there is to say, else a stream of events. */

import type { ServerResponse } from 'node:http';
import { parsedMessages } from './message.js';
import { eventOf } from './server-sent-events.js';

/** A stream says that it is alive so often, in ms. */
const keepAlive = 15_000;

/** One response under way. */
export class Exchange {
  readonly #response: ServerResponse;
  /** Answers that are still to come; a stream of a session has no end of its own. */
  #owed: number;
  #hasEnded = false;
  readonly #alive: NodeJS.Timeout;
  #onError: (() => void) | undefined;

  constructor(response: ServerResponse, owed = Number.POSITIVE_INFINITY) {
    this.#response = response;
    this.#owed = owed;
    this.#alive = setInterval(() => this.#stream(':\n\n'), keepAlive).unref();
    response.on('close', () => clearInterval(this.#alive));
    if (owed === Number.POSITIVE_INFINITY) this.#stream(':\n\n');
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
      else this.#response.writeHead(200, { 'content-type': 'application/json' }).end(text);
      return;
    }
    if (text !== '') this.#stream(eventOf(text));
    if (this.#owed <= 0) this.end();
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

  #stream(event: string): void {
    if (this.#hasEnded || this.#response.destroyed) return;
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
      });
    }
    this.#response.write(event);
  }
}

function isError(text: string): boolean {
  const found = parsedMessages(text);
  return found !== undefined && 'value' in found && found.value['error'] !== undefined;
}
