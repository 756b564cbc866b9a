/** How the server is asked, or each server of a cluster: commands and scripts, under a deadline, by its own clock. */

import { CacheError } from '../errors.js';
import type { RedisArgument } from '../remote/redis-library.js';
import type { LinkSession, RedisLink } from '../remote/redis-link.js';
import type { RedisScript } from '../remote/redis-script.js';
import { type Claimant, microsFrom } from './session-replies.js';

export interface SessionServerInit {
  readonly link: RedisLink;
  /** What scripts take for the server's time, in microseconds: for tests. */
  readonly serverTime: (() => number) | undefined;
}

export class SessionServer {
  readonly #init: SessionServerInit;
  /** A key of the server that knows who is alive: nodes know the time by its clock. */
  readonly #living: string;
  /** In a cluster, how far the clock of each server is ahead of that one, in microseconds. */
  #ahead: readonly number[] = [];
  #comparingAgain: Promise<void> | undefined;

  constructor(init: SessionServerInit, living: string) {
    this.#init = init;
    this.#living = living;
  }

  command(args: readonly RedisArgument[], via?: LinkSession): Promise<unknown> {
    const { link } = this.#init;
    return via === undefined ? link.inTime(() => link.command(args)) : via.command(args);
  }

  /** Runs a script whose first argument is the time. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    via?: LinkSession,
  ): Promise<string[]> {
    const time = this.#init.serverTime?.();
    const reply = await this.runRaw(script, keys, [time === undefined ? '' : String(time), ...args], via);
    if (reply[0] === 'late') {
      // One clock may have been set: then what is sent to its server is late for ever.
      this.#comparingAgain ??= this.#compareAgain().finally(() => {
        this.#comparingAgain = undefined;
      });
      await this.#comparingAgain;
      throw new CacheError(
        'ERR_STORAGE',
        'Redis got it too late for it to count, or its clock was set: try again',
      );
    }
    return reply;
  }

  async runRaw(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    via?: LinkSession,
  ): Promise<string[]> {
    const { link } = this.#init;
    const reply = await (via === undefined
      ? link.inTime(() => link.run(script, keys, args))
      : via.run(script, keys, args));
    return (Array.isArray(reply) ? reply : [reply]).map(String);
  }

  /** What the clock says by which nodes know the time, in microseconds. */
  async now(): Promise<number> {
    const { link, serverTime } = this.#init;
    return serverTime?.() ?? microsFrom(await link.inTime(() => link.command(['TIME'], this.#living)));
  }

  /** Over new connections: how far the clocks of a cluster's servers are apart. */
  async compareClocks(session: LinkSession): Promise<void> {
    this.#ahead = [];
    this.#ahead = await this.#offsets(session);
  }

  /** Over the connections there are. Never rejects: who can't be asked now is late once more, or connected to anew. */
  async #compareAgain(): Promise<void> {
    const { link } = this.#init;
    const { connections } = link;
    try {
      const ahead = await this.#offsets({
        count: link.count,
        command: (args, at) => link.inTime(() => link.command(args, at)),
      });
      // New connections have compared by themselves.
      if (link.connections === connections) this.#ahead = ahead;
    } catch {
      // It is the late call that fails, with what is to be done.
    }
  }

  async #offsets(session: Pick<LinkSession, 'count' | 'command'>): Promise<readonly number[]> {
    if (session.count === 1) return [];
    const asked = Array.from({ length: session.count }, (_, at) => session.command(['TIME'], at));
    const times = (await Promise.all(asked)).map(microsFrom);
    const own = times[this.#init.link.nodeOf(this.#living)] ?? 0;
    return times.map((time) => time - own);
  }

  /** What the clock of the server says that has a key, when that by which nodes know the time says this. */
  timeAt(key: string, time: number): number {
    return time + (this.#ahead[this.#init.link.nodeOf(key)] ?? 0);
  }

  /** The last moment at which something may take effect, by the clock of the server that has a key. */
  notAfter({ notAfter }: Claimant, key: string): string {
    return String(this.timeAt(key, notAfter));
  }
}
