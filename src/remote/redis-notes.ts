/** Texts that processes leave for each other in Redis, which lets go of them by itself. */

import type { ProcessNotes } from '../tier.js';
import type { RedisLink } from './redis-link.js';
import { held, within } from './within.js';

/** Processes whose texts are kept: more are a program that begins anew again and again. */
const mostProcesses = 1_000;
/** Whoever closes a cache waits for it. */
const leaveTimeoutMs = 2_000;
/** A person waits for it. */
const readTimeoutMs = 10_000;
/** Texts that are asked for at once. */
const atOnce = 50;

/** Under one tag, so that a cluster keeps them on one server. */
export class RedisNotes implements ProcessNotes {
  readonly #link: Pick<RedisLink, 'command' | 'starting'>;
  readonly #index: string;
  readonly #texts: string;

  constructor(link: Pick<RedisLink, 'command' | 'starting'>, prefix: string) {
    this.#link = link;
    this.#index = `${prefix}:{notes}:index`;
    this.#texts = `${prefix}:{notes}:of:`;
  }

  leave(writer: string, text: string, keepMs: number): Promise<void> {
    return held(within(leaveTimeoutMs, this.#leave(writer, text, keepMs)));
  }

  read(): Promise<readonly string[]> {
    return held(within(readTimeoutMs, this.#read()));
  }

  async #leave(writer: string, text: string, keepMs: number): Promise<void> {
    if (this.#link.starting !== undefined) await this.#link.starting;
    const now = Date.now();
    await this.#link.command(['SET', this.#texts + writer, text, 'PX', String(keepMs)]);
    await this.#link.command(['ZADD', this.#index, String(now + keepMs), writer]);
    await this.#link.command(['ZREMRANGEBYSCORE', this.#index, '-inf', String(now)]);
    const most = ['0', String(-mostProcesses - 1)];
    const rest = texts(await this.#link.command(['ZRANGE', this.#index, ...most]));
    if (rest.length === 0) return;
    await this.#link.command(['DEL', ...rest.map((each) => this.#texts + each)]);
    await this.#link.command(['ZREM', this.#index, ...rest]);
  }

  async #read(): Promise<readonly string[]> {
    if (this.#link.starting !== undefined) await this.#link.starting;
    const latest = ['ZRANGE', this.#index, String(-mostProcesses), '-1'];
    const writers = texts(await this.#link.command(latest));
    const found: string[] = [];
    for (let at = 0; at < writers.length; at += atOnce) {
      const names = writers.slice(at, at + atOnce).map((writer) => this.#texts + writer);
      found.push(...texts(await this.#link.command(['MGET', ...names])));
    }
    return found;
  }
}

/** Those that are there. */
function texts(reply: unknown): string[] {
  return (reply as readonly (Buffer | null)[]).flatMap((text) => (text === null ? [] : [String(text)]));
}
