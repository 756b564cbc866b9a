/** The world outside the cache: what is true of each key, which loaders run, and which answers would be wrong. */

import type { CacheManager, CacheOptions } from '../../../src/index.js';
import type { FakeClock } from '../../../src/testing/fake-clock.js';

/** Keys 0 to 3 belong to a tool whose answers have a ttl, key 4 to one whose answers slide. */
export const keys = [0, 1, 2, 3, 4] as const;
export const methodOf = (key: number) => (key === 4 ? 'sliding' : 'tool');
export const tagOf = (key: number) => `tag ${key % 2}`;

/** A tool's answer: what it knew when it was asked, when it answered, and for how long that is fresh at most. */
export interface Answer {
  readonly key: number;
  readonly version: number;
  readonly madeAt: number;
  readonly freshFor: number;
  readonly is: 'value' | 'error result' | 'nothing';
}

/** An error as telling as an answer. */
export class ToolError extends Error {
  readonly version: number;
  readonly madeAt: number;

  constructor(version: number, madeAt: number) {
    super('tool failed');
    this.version = version;
    this.madeAt = madeAt;
  }
}

/** What the answers of some draws were. */
export interface Tally {
  fresh: number;
  revalidate: number;
  error: number;
  timeout: number;
  fromDisk: number;
  staleFromDisk: number;
  denied: number;
  errors: number;
  flushes: number;
  consolidations: number;
  loads: number;
  restarts: number;
  kills: number;
}

export const newTally = (): Tally => ({
  ...{ fresh: 0, revalidate: 0, error: 0, timeout: 0, fromDisk: 0, staleFromDisk: 0, denied: 0, errors: 0 },
  ...{ flushes: 0, consolidations: 0, loads: 0, restarts: 0, kills: 0 },
});

/** For how long after its ttl an answer may be given, by the reason that the cache states. */
export interface Limits {
  readonly revalidate: number;
  readonly error: number;
  readonly timeout: number;
  /** How old a remembered error may be; without it only errors of this moment are right. */
  readonly rememberedError: number;
}

/** Until when a loader may run, in epoch ms. */
interface Bound {
  readonly signal: AbortSignal;
  readonly until: number;
}

type Reason = 'revalidate' | 'error' | 'timeout';

/** Errors that a caller may see which are not the tool's. */
const guardErrors = ['ERR_LOADER_TIMEOUT', 'ERR_CIRCUIT_OPEN', 'ERR_QUEUE_FULL'];

export class World {
  readonly problems: string[] = [];
  readonly releases: (() => void)[] = [];
  /** Keys that were stored or are known to exist: a filter of known keys must not deny them. */
  readonly known = new Set<number>();
  /** Keys of which the source knows. */
  readonly existing = new Set<number>();
  /** Keys that a renewal may load, whatever the filter says. */
  readonly renewed = new Set<number>();
  readonly tally: Tally;
  readonly #clock: FakeClock;
  readonly #limits: Limits;
  /** Each key's true version. */
  readonly #versions = keys.map(() => 0);
  /** The version that must be seen at least: the true one, or after a kill the one that was on the disk for sure. */
  #floors = keys.map(() => 0);
  #onDisk = keys.map(() => 0);
  /** Loaders whose result may still be stored, by key. */
  readonly #running = new Map<number, Set<object>>();
  readonly #bounds = new Map<object, Bound>();
  /** Stale hits that the cache has counted and nobody has seen yet. */
  readonly #owed = new Map<number, Reason[]>();

  constructor(clock: FakeClock, limits: Limits, tally: Tally) {
    this.#clock = clock;
    this.#limits = limits;
    this.tally = tally;
  }

  version(key: number): number {
    return this.#versions[key]!;
  }

  /** What a call that begins now must see at least. */
  oldest(key: number): number {
    return this.#floors[key]!;
  }

  write(key: number): void {
    this.#versions[key]! += 1;
    this.#floors[key] = this.#versions[key]!;
  }

  /** To be called when a flush begins; what it returns, when it has ended. */
  flushing(): () => void {
    const floors = [...this.#floors];
    return () => {
      this.#onDisk = this.#onDisk.map((version, key) => Math.max(version, floors[key]!));
    };
  }

  /** The process was killed: what was not flushed is lost. */
  killed(): void {
    this.#floors = [...this.#onDisk];
    this.#owed.clear();
    this.restarted();
  }

  restarted(): void {
    this.supersede();
    this.renewed.clear();
  }

  supersede(key?: number): void {
    if (key === undefined) this.#running.clear();
    else this.#running.delete(key);
  }

  /** A loader begins; with a bound, it is to be aborted by then. */
  begin(key: number, bound: Bound | undefined): object {
    const running = this.#running.get(key) ?? new Set();
    if (running.size > 0) this.problems.push(`two loads of key ${key} at once`);
    const token = {};
    if (bound !== undefined) this.#bounds.set(token, bound);
    this.#running.set(key, running.add(token));
    return token;
  }

  end(key: number, token: object): void {
    this.#running.get(key)?.delete(token);
    this.#bounds.delete(token);
  }

  /** Whether every loader that had its time is aborted, whoever waits for it. */
  checkBounds(): void {
    for (const { signal, until } of this.#bounds.values()) {
      if (this.#clock.now() > until && !signal.aborted)
        this.problems.push('a loader outlived its `hardTimeout`');
    }
  }

  /** Listens to what the cache says of its stale hits. */
  hear(cache: CacheManager, keyOf: ReadonlyMap<string, number>): void {
    cache.on('staleHit', ({ key, reason, tier }) => {
      const number = keyOf.get(key)!;
      this.#owed.set(number, [...(this.#owed.get(number) ?? []), reason]);
      if (tier === 'disk') this.tally.staleFromDisk++;
    });
    cache.on('hit', ({ tier }) => {
      if (tier === 'disk') this.tally.fromDisk++;
    });
    cache.on('refresh', ({ key }) => void this.renewed.add(keyOf.get(key)!));
  }

  /** Judges a value that a call was given. `isKnown`: whether its key was known when it began. */
  check(value: unknown, asked: { key: number; oldest: number; isKnown: boolean; what: string }): void {
    const { key, isKnown, what } = asked;
    const answer = value as Partial<Answer> | undefined;
    if (answer === undefined && !isKnown) {
      this.tally.denied++;
      return;
    }
    if (answer?.version === undefined || answer.key !== key) {
      this.problems.push(`${what} of key ${key} gave ${String(value)}`);
      return;
    }
    this.#checkVersion(answer.version, asked);
    const age = this.#clock.now() - answer.madeAt!;
    const staleFor = age - answer.freshFor!;
    if (staleFor < 0) {
      this.tally.fresh++;
      return;
    }
    const owed = this.#owed.get(key) ?? [];
    const at = owed.findIndex((reason) => staleFor < this.#limits[reason]);
    if (at < 0) {
      const counted = owed.length === 0 ? 'nothing' : owed.join(', ');
      this.problems.push(
        `${what} of key ${key} gave a value ${staleFor} ms past its ttl, where ${counted} was counted`,
      );
      return;
    }
    const [reason] = owed.splice(at, 1);
    this.tally[reason!]++;
  }

  /** Judges an error that a call was given. */
  checkError(error: unknown, asked: { key: number; oldest: number; what: string; at: number }): void {
    this.tally.errors++;
    if (error === undefined || error === 'gone') return;
    if (error instanceof ToolError) {
      this.#checkVersion(error.version, { ...asked, what: `an error of ${asked.what}` });
      // Of the moment it was asked for: a stale value in its place may have been looked for since.
      const age = asked.at - error.madeAt;
      if (age > 0 && age >= this.#limits.rememberedError)
        this.problems.push(`${asked.what} of key ${asked.key} threw an error ${age} ms old`);
    } else if (!guardErrors.includes((error as { code: string }).code))
      this.problems.push(`${asked.what} rejected with ${String(error)}`);
  }

  /** Once nothing is under way: whether every stale hit that was counted was also an answer. */
  settle(): void {
    for (const [key, owed] of this.#owed) {
      if (owed.length > 0) this.problems.push(`stale hits of key ${key} that nobody got: ${owed.join(', ')}`);
    }
  }

  #checkVersion(version: number, { key, oldest, what }: { key: number; oldest: number; what: string }): void {
    if (version >= oldest) return;
    this.problems.push(
      `${what} of key ${key} gave version ${version}, older than the completed write ${oldest}`,
    );
  }
}

/** The limits that options set. */
export function limitsOf({ staleWhileRevalidate = 0, staleIfError = 0, cacheErrors }: CacheOptions): Limits {
  const longest = Math.max(Number(staleWhileRevalidate), Number(staleIfError));
  return {
    revalidate: Number(staleWhileRevalidate),
    error: longest,
    timeout: longest,
    rememberedError: cacheErrors ? 250 : 0,
  };
}
