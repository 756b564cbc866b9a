/** What one connection is subscribed to, which follows a list of channels. */

import type { RedisClient } from './redis-library.js';
import { within } from './within.js';

const timeoutMs = 3_000;

export class RedisSubscriptions {
  readonly #client: RedisClient;
  readonly #channels: Iterable<string>;
  readonly #onMessage: (message: Buffer, channel: Buffer) => void;
  readonly #subscribed = new Set<string>();
  #hasBegun = false;
  #last = Promise.resolve();

  constructor(
    client: RedisClient,
    channels: Iterable<string>,
    onMessage: (message: Buffer, channel: Buffer) => void,
  ) {
    this.#client = client;
    this.#channels = channels;
    this.#onMessage = onMessage;
  }

  /** Subscribes, once the connection is there. */
  begin(): Promise<void> {
    this.#hasBegun = true;
    return this.follow();
  }

  /** Subscribes to what the list has more by now, and no longer to what it has not: one change after the other. */
  follow(): Promise<void> {
    if (!this.#hasBegun) return Promise.resolve();
    const next = this.#last.then(() => this.#follow());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #follow(): Promise<void> {
    const wanted = new Set(this.#channels);
    const missing = [...wanted].filter((channel) => !this.#subscribed.has(channel));
    const excess = [...this.#subscribed].filter((channel) => !wanted.has(channel));
    if (missing.length > 0) {
      await within(timeoutMs, this.#client.subscribe(missing, this.#onMessage, true));
      for (const channel of missing) this.#subscribed.add(channel);
    }
    for (const channel of excess) {
      await within(timeoutMs, this.#client.unsubscribe(channel));
      this.#subscribed.delete(channel);
    }
  }
}
