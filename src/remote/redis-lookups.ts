/** Looking up values in Redis: one machine's reads, by one command for those of a tick. */

import type { LookupOutcome, TierRecord } from '../tier.js';
import type { RedisChanges } from './redis-changes.js';
import { RedisLateError, type RedisLink } from './redis-link.js';
import { getMany } from './redis-listing.js';
import { RedisReads, type RedisReadsInit } from './redis-reads.js';
import type { RedisSpaces } from './redis-spaces.js';
import { isOfThisVersion, readValue, type ValueFormat } from './redis-value.js';

/** What they are made with. */
export interface RedisLookupsInit {
  readonly link: RedisLink;
  readonly space: RedisSpaces;
  readonly changes: RedisChanges;
  readonly format: ValueFormat;
  /** A value of this key could not be read. */
  readonly onUnreadable: (key: string) => void;
}

/** Keys whose reads were late, until their loads have begun. */
const maxLate = 10_000;

export class RedisLookups {
  readonly #init: RedisLookupsInit;
  readonly #reads: RedisReads;
  readonly #late = new Set<string>();

  constructor(init: RedisLookupsInit) {
    this.#init = init;
    this.#reads = new RedisReads({
      send: (...asked) => this.#get(...asked),
      decode: (bytes, key, method) => this.#decode(bytes, key, method),
      onFailure: (keys, error) => {
        if (!(error instanceof RedisLateError)) return;
        for (const key of keys) if (this.#late.size < maxLate) this.#late.add(key);
      },
    });
  }

  /** Whether the read of this key has come too late just now, asked once. */
  wasLate(key: string): boolean {
    return this.#late.delete(key);
  }

  /** What lies under some keys, in their order. Never rejects. */
  find(keys: readonly string[], method: string): Promise<readonly LookupOutcome[]> {
    const { link, changes } = this.#init;
    if (link.starting !== undefined) return link.starting.then(() => this.find(keys, method));
    const isChanged = changes.size > 0 && keys.some((key) => changes.ofKey(key) !== undefined);
    return isChanged ? this.#findChanged(keys, method) : this.#reads.read(keys, method);
  }

  /** Whether what was found is gone by a clearing, also by one of this machine's that Redis does not know yet. */
  isOver(record: TierRecord): boolean {
    return this.#init.space.markers.covers(record) || this.#init.changes.covers(record);
  }

  /** What this machine has changed itself must have got through before it is looked for. */
  async #findChanged(keys: readonly string[], method: string): Promise<readonly LookupOutcome[]> {
    const { link, changes } = this.#init;
    const found = await Promise.all(
      keys.map(async (key): Promise<readonly LookupOutcome[]> => {
        try {
          if (changes.ofKey(key) !== undefined) await link.inTime(() => changes.settled(key));
          return await this.#reads.read([key], method);
        } catch (failure) {
          return [{ failure }];
        }
      }),
    );
    return found.map(([outcome]) => outcome);
  }

  #decode(bytes: Buffer | null, key: string, method: string): LookupOutcome {
    try {
      const epoch = this.#init.space.epochOf(key);
      const found = readValue(bytes, { key, method, epoch }, this.#init.format);
      return typeof found === 'string' || this.isOver(found) ? undefined : found;
    } catch (failure) {
      if (bytes !== null && isOfThisVersion(bytes)) this.#init.onUnreadable(key);
      return { failure };
    }
  }

  /** Asks what lies under some keys, by one command for those that share a part. */
  #get(...[keys, found, failed]: Parameters<RedisReadsInit['send']>): void {
    const { link, space } = this.#init;
    if (keys.length === 1) {
      const answered = (bytes: unknown) => found([bytes as Buffer | null]);
      link.ask(['GET', space.valueKey(keys[0]!)], { answered, failed });
      return;
    }
    const names = keys.map((key) => space.valueKey(key));
    link.inTime(() => getMany(link, space.isCluster, names)).then(found, failed);
  }
}
