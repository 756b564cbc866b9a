/** A cache under all guards and a tool of every kind of trouble: who waits too long, and which turns are lost. */

import type { Clock } from '../../../src/clock.js';
import { CacheManager, type CacheOptions, type LoadOptions } from '../../../src/index.js';
import { nextTurn } from '../../../src/next-turn.js';
import { seededRandom } from '../../guard/seeded-random.js';

/** What a soak is given. */
export interface SoakInit {
  readonly clock: Clock;
  /** Lets so many ms pass. */
  readonly pass: (ms: number) => Promise<void>;
  readonly durationMs: number;
  readonly seed: number;
}

/** What came of it. */
export interface SoakOutcome {
  readonly calls: number;
  /** Calls by what they came to: `value`, or the code or message of an error. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Loaders by how they ended, or not. */
  readonly loaders: Readonly<Record<string, number>>;
  /** The most that a call took beyond its deadline, in ms. */
  readonly latestMs: number;
  readonly problems: readonly string[];
}

const hardTimeout = 200;
const limit = 8;
/** Turns of the event loop that a deadline may take, and ms by which timers of fractions round up. */
const grace = { turns: 3, ms: 2 };

const bounded = { hardTimeout, concurrency: { limit, queueLimit: 100 } } satisfies CacheOptions;
const stale = { ttl: 300, softTimeout: 50, staleIfError: 600, ...bounded } satisfies CacheOptions;
const methods = {
  bounded: { ttl: 20, ...bounded },
  stale,
  everything: {
    ...stale,
    staleWhileRevalidate: 200,
    refreshAhead: true,
    jitter: 0.2,
    memoryTtl: 250,
    negativeTtl: 50,
    isNegative: (value: unknown) => value === 'nothing',
    cacheErrors: () => 20,
    isError: (value: unknown) => value === 'error result',
    circuitBreaker: { failureRate: 0.9, minimumCalls: 30, within: '2s', openFor: 150 },
  },
} satisfies CacheOptions['methods'];

type Name = keyof typeof methods;
const names = Object.keys(methods) as Name[];

/** Runs a soak. */
export function soak(init: SoakInit): Promise<SoakOutcome> {
  return new Soak(init).run();
}

class Soak {
  readonly #init: SoakInit;
  readonly #cache: CacheManager;
  readonly #random: () => number;
  readonly #problems: string[] = [];
  readonly #outcomes: Record<string, number> = {};
  readonly #loaders: Record<string, number> = {};
  #calls = 0;
  #waiting = 0;
  #latestMs = 0;

  constructor(init: SoakInit) {
    this.#init = init;
    this.#random = seededRandom(init.seed);
    this.#cache = new CacheManager({ clock: init.clock, methods, maxSize: 20, random: this.#random });
  }

  async run(): Promise<SoakOutcome> {
    const { clock, pass, durationMs } = this.#init;
    const end = clock.elapsed() + durationMs;
    while (clock.elapsed() < end) {
      for (let call = this.#below(4); call > 0; call -= 1) this.#call();
      await pass(1 + this.#below(8));
    }
    await pass(3 * hardTimeout);
    if (this.#waiting > 0) this.#problems.push(`${this.#waiting} calls never ended`);
    for (const name of names) await this.#checkTurns(name);
    await this.#cache.close();
    return {
      calls: this.#calls,
      outcomes: this.#outcomes,
      loaders: this.#loaders,
      latestMs: this.#latestMs,
      problems: this.#problems,
    };
  }

  #call(): void {
    const { clock } = this.#init;
    const name = names[this.#below(names.length)]!;
    // Some keys far more often than others.
    const key = this.#below(1 + this.#below(12));
    const own = [undefined, undefined, undefined, 60, 350][this.#below(5)];
    const controller = this.#below(4) === 0 ? new AbortController() : undefined;
    const options: LoadOptions = {
      ...(own !== undefined && { hardTimeout: own }),
      ...(controller !== undefined && { signal: controller.signal }),
    };
    const began = clock.elapsed();
    const deadline = own ?? hardTimeout;
    const call = { isOver: false, what: `${name} ${key} of ${deadline} ms` };
    this.#calls += 1;
    this.#waiting += 1;
    const over = (outcome: string) => {
      call.isOver = true;
      this.#waiting -= 1;
      this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
      this.#latestMs = Math.max(this.#latestMs, clock.elapsed() - began - deadline);
    };
    this.#ask(name, key, options).then(
      () => over('value'),
      (error: { code?: string; message?: string } | string) =>
        over(typeof error === 'string' ? error : (error.code ?? error.message ?? 'error')),
    );
    clock.schedule(() => void this.#mustBeOver(call, 'its deadline'), deadline + grace.ms);
    if (controller === undefined) return;
    const abort = () => {
      controller.abort('left');
      void this.#mustBeOver(call, 'its abort');
    };
    clock.schedule(abort, this.#below(300));
  }

  #ask(name: Name, key: number, options: LoadOptions): Promise<unknown> {
    const load = this.#loader(name);
    const kind = this.#below(12);
    if (kind === 0) return this.#cache.refresh(name, key, load, options);
    // A call that can have no key.
    if (kind === 1) return this.#cache.getOrSet(name, () => key, load, options);
    if (kind === 2) void this.#cache.delete(name, key);
    if (kind === 3) void this.#cache.set(name, key, 'set');
    if (kind === 4) {
      const other = names[(names.indexOf(name) + 1) % names.length]!;
      return this.#cache.getOrSet(name, key, () => this.#cache.getOrSet(other, key, load), options);
    }
    return this.#cache.getOrSet(name, key, load, options);
  }

  #loader(name: Name): (context: { readonly signal: AbortSignal }) => unknown {
    const { clock } = this.#init;
    const sleep = (ms: number) =>
      new Promise<void>((resolve) => {
        clock.schedule(resolve, ms);
      });
    const kinds = ['quick', 'quick', 'quick', 'slow', 'hung', 'ends when aborted', 'failing', 'throwing'];
    kinds.push(...(name === 'everything' ? ['error result', 'nothing', 'unshareable'] : []));
    const kind = kinds[this.#below(kinds.length)]!;
    const ms = this.#below(kind === 'slow' ? 400 : 30);
    return ({ signal }) => {
      this.#loaders[kind] = (this.#loaders[kind] ?? 0) + 1;
      if (kind === 'hung') return new Promise(() => {});
      if (kind === 'throwing') throw new Error('threw');
      if (kind === 'ends when aborted')
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        });
      return sleep(ms).then(() => {
        if (kind === 'failing') throw new Error('failed');
        return kind === 'unshareable' ? () => 0 : kind;
      });
    };
  }

  async #mustBeOver(call: { readonly isOver: boolean; readonly what: string }, what: string): Promise<void> {
    for (let turn = 0; turn < grace.turns && !call.isOver; turn += 1) await nextTurn();
    if (!call.isOver) this.#problems.push(`${call.what} outlived ${what}`);
  }

  /** Whether a method's turns have all come back: so many calls can hold one at once. */
  async #checkTurns(name: Name): Promise<void> {
    const { pass } = this.#init;
    const { running, queued } = this.#cache.stats(name);
    if (running + queued > 0) this.#problems.push(`${name}: ${running} running, ${queued} queued at the end`);
    // An open circuit closes with the first call that succeeds.
    await this.#cache.getOrSet(name, 'probe', () => 'well');
    let [now, most] = [0, 0];
    const load = async () => {
      now += 1;
      most = Math.max(most, now);
      await nextTurn();
      await nextTurn();
      now -= 1;
    };
    const asking = Array.from({ length: limit + 1 }, (_, call) =>
      this.#cache.getOrSet(name, `last ${call}`, load),
    );
    await pass(1);
    await Promise.all(asking);
    if (most !== limit) this.#problems.push(`${name}: ${most} of ${limit} turns are left`);
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}
