/** Every order in which calls, writes, loads and aborts can meet, drawn by fast-check's scheduler. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import type { CacheOptions } from '../../src/options.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { seededRandom } from '../guard/seeded-random.js';
import { MapTier } from '../helper/map-tier.js';

/** 2,000 in the suite; `npm run test:interleaving` draws 10,000. */
const runs = Number(process.env['TOOLSTASH_INTERLEAVINGS'] ?? 2000);
const ttl = 1000;
const maxSize = 3;

type Command =
  | { readonly kind: 'get'; readonly key: number }
  | { readonly kind: 'set'; readonly key: number }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'load'; readonly key: number; readonly ending: Ending; readonly abortable: boolean }
  | { readonly kind: 'refresh'; readonly key: number; readonly ending: Ending }
  | { readonly kind: 'invalidate'; readonly tag: number }
  | { readonly kind: 'clear' }
  | { readonly kind: 'advance'; readonly ms: number };

type Ending = 'value' | 'error' | 'undefined error' | 'hang' | 'error result' | 'nothing';

const key = fc.integer({ min: 0, max: 3 });
const plainEndings: Ending[] = ['value', 'value', 'value', 'error', 'undefined error', 'hang'];

function commandOf(endings: readonly Ending[]): fc.Arbitrary<Command> {
  const ending = fc.constantFrom<Ending>(...endings);
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), key }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('set' as const), key }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('load' as const), key, ending, abortable: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const), key, ending }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('invalidate' as const), tag: fc.integer({ min: 0, max: 1 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('advance' as const),
        ms: fc.constantFrom(1, 160, 400, 1000),
      }),
    },
  );
}

/** A tool's answer: what it knew when it was asked, and when it answered. */
interface Answer {
  readonly key: number;
  readonly version: number;
  readonly madeAt: number;
  readonly is: 'value' | 'error result' | 'nothing';
}

/** An error as telling as an answer. */
class ToolError extends Error {
  readonly version: number;

  constructor(version: number) {
    super('tool failed');
    this.version = version;
  }
}

const tagOf = (tagged: number) => `tag ${tagged % 2}`;

/** Every guard at once. */
const guards = {
  staleWhileRevalidate: 300,
  staleIfError: 600,
  refreshAhead: { beta: 50 },
  jitter: 0.2,
  memoryTtl: 1450,
  negativeTtl: 200,
  isNegative: (value) => (value as Answer).is === 'nothing',
  knownKeys: { size: 4, capacity: 4, add: () => {}, mayHave: () => true },
  cacheErrors: (error) => error instanceof ToolError && 250,
  isError: (value) => (value as Answer).is === 'error result',
  softTimeout: 150,
  hardTimeout: 900,
  concurrency: { limit: 2, queueLimit: 4 },
  circuitBreaker: { failures: 4, openFor: 300 },
} as const satisfies CacheOptions;

/** How old an answer may be at most, from the end of its load. */
const oldestAnswer = (options: CacheOptions, answer: Answer) =>
  (answer.is === 'nothing' && options.negativeTtl !== undefined ? guards.negativeTtl : ttl) +
  Math.max(Number(options.staleWhileRevalidate ?? 0), Number(options.staleIfError ?? 0));

/** Errors that a caller may see which are not the tool's. */
const guardErrors = ['ERR_LOADER_TIMEOUT', 'ERR_CIRCUIT_OPEN', 'ERR_QUEUE_FULL'];

/** The world outside the cache: each key's true version, and the loaders under way. */
class World {
  readonly versions = [0, 0, 0, 0];
  /** Loaders whose result may still be stored, by key. */
  readonly running = new Map<number, Set<object>>();
  readonly problems: string[] = [];
  readonly releases: (() => void)[] = [];
  /** Answers that were past their ttl. */
  staleAnswers = 0;

  write(written: number): void {
    this.versions[written] = this.versions[written]! + 1;
  }

  supersede(written?: number): void {
    if (written === undefined) this.running.clear();
    else this.running.delete(written);
  }

  begin(loaded: number): object {
    const running = this.running.get(loaded) ?? new Set();
    if (running.size > 0) this.problems.push(`two loads of key ${loaded} at once`);
    const token = {};
    this.running.set(loaded, running.add(token));
    return token;
  }

  end(loaded: number, token: object): void {
    this.running.get(loaded)?.delete(token);
  }
}

interface Setting {
  readonly hasDisk: boolean;
  readonly options: CacheOptions;
  /** Whether a load's tags are known before it ends. */
  readonly knowsTags: boolean;
}

async function run(
  scheduler: fc.Scheduler,
  commands: readonly Command[],
  { hasDisk, options, knowsTags }: Setting,
): Promise<string[]> {
  const clock = new FakeClock();
  const disk = new MapTier();
  disk.beforeAnswer = () => scheduler.schedule(Promise.resolve(), 'disk read');
  const random = seededRandom(commands.length);
  const base = { clock, random, ttl, maxSize, maxBytes: 10_000 };
  const tags = (value: unknown) => [tagOf((value as Answer).key)];
  const cache = new CacheManager({ ...base, ...options, tags }, hasDisk ? [disk] : []);
  const world = new World();
  const callers: Promise<void>[] = [];
  const controllers: AbortController[] = [];

  const checkVersion = (version: number, asked: number, oldest: number, what: string) => {
    if (version < oldest) {
      world.problems.push(
        `${what} of key ${asked} gave version ${version}, older than the completed write ${oldest}`,
      );
    }
  };
  const check = (value: unknown, asked: number, oldest: number, what: string) => {
    const answer = value as Partial<Answer> | undefined;
    if (answer?.version === undefined || answer.key !== asked) {
      world.problems.push(`${what} of key ${asked} gave ${String(value)}`);
      return;
    }
    checkVersion(answer.version, asked, oldest, what);
    const age = clock.now() - answer.madeAt!;
    if (age >= ttl) world.staleAnswers++;
    if (age >= oldestAnswer(options, answer as Answer))
      world.problems.push(`${what} of key ${asked} gave a value ${age} ms old`);
  };
  const checkError = (error: unknown, asked: number, oldest: number, what: string) => {
    if (error === undefined || error === 'gone') return;
    if (error instanceof ToolError) checkVersion(error.version, asked, oldest, `an error of ${what}`);
    else if (!guardErrors.includes((error as { code: string }).code))
      world.problems.push(`${what} rejected with ${String(error)}`);
  };

  const loader =
    (loaded: number, ending: Ending) =>
    async ({ signal }: { signal: AbortSignal }): Promise<Answer> => {
      const version = world.versions[loaded]!;
      const token = world.begin(loaded);
      // An aborted load may be followed by another while its loader winds up.
      signal.addEventListener('abort', () => world.end(loaded, token), { once: true });
      try {
        await scheduler.schedule(Promise.resolve(), `load ${loaded}, first step`);
        if (ending === 'hang') await new Promise<void>((resolve) => world.releases.push(resolve));
        await scheduler.schedule(Promise.resolve(), `load ${loaded}, second step`);
        if (ending === 'error') throw new ToolError(version);
        if (ending === 'undefined error') throw undefined;
        const is = ending === 'error result' || ending === 'nothing' ? ending : 'value';
        return { key: loaded, version, madeAt: clock.now(), is };
      } finally {
        world.end(loaded, token);
      }
    };

  const step = async (each: Command): Promise<void> => {
    if (each.kind === 'advance') {
      // Whoever has an answer gets it before time goes on, or its age could not be told.
      await new Promise<void>((resolve) => {
        setImmediate(() => {
          clock.advance(each.ms);
          resolve();
        });
      });
    } else if (each.kind === 'clear') {
      for (let written = 0; written < 4; written++) world.write(written);
      world.supersede();
      await cache.clear('tool');
    } else if (each.kind === 'invalidate') {
      for (let written = each.tag; written < 4; written += 2) world.write(written);
      // Where a load's tags are not known yet, whoever comes now must not join any.
      world.supersede();
      await cache.invalidateTags([tagOf(each.tag)]);
    } else if (each.kind === 'get') {
      const oldest = world.versions[each.key]!;
      const found = await cache.lookup('tool', { key: each.key });
      if (found.outcome === 'error') world.problems.push('an error where nothing fails');
      if (!('value' in found)) return;
      check(found.value, each.key, oldest, 'get');
      const limit = found.outcome === 'hit' ? ttl : ttl + Number(options.staleWhileRevalidate ?? 0);
      if (found.ageMs >= limit)
        world.problems.push(`get of key ${each.key} gave a ${found.outcome} value that had expired`);
    } else if (each.kind === 'set') {
      world.write(each.key);
      world.supersede(each.key);
      const answer = { key: each.key, version: world.versions[each.key]!, madeAt: clock.now(), is: 'value' };
      await cache.set('tool', { key: each.key }, answer);
    } else if (each.kind === 'delete') {
      world.write(each.key);
      world.supersede(each.key);
      await cache.delete('tool', { key: each.key });
    } else {
      const oldest = world.versions[each.key]!;
      const controller = new AbortController();
      if (each.kind === 'load' && each.abortable) {
        controllers.push(controller);
        void scheduler.schedule(Promise.resolve(), `abort ${each.key}`).then(() => controller.abort('gone'));
      }
      const call = {
        ...(each.kind === 'load' && each.abortable && { signal: controller.signal }),
        ...(knowsTags && { tags: [tagOf(each.key)] }),
      };
      if (each.kind === 'refresh') world.supersede(each.key);
      const what = each.kind === 'refresh' ? 'refresh' : 'getOrSet';
      const ask = each.kind === 'refresh' ? cache.refresh.bind(cache) : cache.getOrSet.bind(cache);
      try {
        const value = await ask('tool', { key: each.key }, loader(each.key, each.ending), call);
        check(value, each.key, oldest, what);
      } catch (error) {
        checkError(error, each.key, oldest, what);
      }
    }
  };

  for (const [at, each] of commands.entries()) {
    const start = scheduler.schedule(Promise.resolve(), `${at}: ${JSON.stringify(each)}`);
    callers.push(start.then(() => step(each)));
  }
  let settled = 0;
  for (const caller of callers) void caller.then(() => settled++);
  const watch = () => {
    const { entries, bytes, running } = cache.stats();
    if (entries > maxSize || bytes > 10_000)
      world.problems.push(`bounds: ${entries} entries, ${bytes} bytes`);
    if (running > 2) world.problems.push(`${running} loads have a turn at once`);
  };
  for (let idle = 0; idle < 3; ) {
    if (scheduler.count() > 0) {
      await scheduler.waitOne();
      idle = 0;
    } else {
      await new Promise((resolve) => setImmediate(resolve));
      if (scheduler.count() === 0 && world.releases.length > 0)
        world.releases.splice(0).forEach((go) => void go());
      else if (scheduler.count() === 0) idle++;
    }
    watch();
  }
  if (settled !== callers.length) world.problems.push(`${callers.length - settled} callers never settled`);
  const stats = cache.stats();
  if (stats.cacheErrors > 0) world.problems.push(`${stats.cacheErrors} cache errors`);
  if (stats.running + stats.queued > 0) world.problems.push('a turn was never given back');
  if (world.staleAnswers > stats.staleHits)
    world.problems.push(`${world.staleAnswers} stale answers, of which ${stats.staleHits} were counted`);
  await cache.close();
  return world.problems;
}

const withGuards: Ending[] = [...plainEndings, 'error result', 'nothing'];

describe('a cache under interleaved calls', () => {
  it.each([
    ['with memory alone', false, {}, plainEndings],
    ['with a slower tier', true, {}, plainEndings],
    ['with memory alone and every guard', false, guards, withGuards],
    ['with a slower tier and every guard', true, guards, withGuards],
  ] as const)(
    'never answers with what is older than the last completed write or its time, loads once, and settles every caller, %s',
    async (_, hasDisk, options, endings) => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(commandOf(endings), { minLength: 4, maxLength: 20 }),
          fc.boolean(),
          async (scheduler, commands, knowsTags) => {
            expect(await run(scheduler, commands, { hasDisk, options, knowsTags })).toEqual([]);
          },
        ),
        { numRuns: runs / 4 },
      );
    },
  );
});
