/** Every order in which calls, writes, loads and aborts can meet, drawn by fast-check's scheduler. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
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
  | { readonly kind: 'refresh'; readonly key: number }
  | { readonly kind: 'clear' }
  | { readonly kind: 'advance'; readonly ms: number };

type Ending = 'value' | 'error' | 'undefined error' | 'hang';

const key = fc.integer({ min: 0, max: 3 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('set' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('load' as const),
      key,
      ending: fc.constantFrom<Ending>('value', 'value', 'value', 'error', 'undefined error', 'hang'),
      abortable: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 400, 1000) }),
  },
);

/** The world outside the cache: each key's true version, and the loaders under way. */
class World {
  readonly versions = [0, 0, 0, 0];
  /** Loaders whose result may still be stored, by key. */
  readonly running = new Map<number, Set<object>>();
  readonly problems: string[] = [];
  readonly releases: (() => void)[] = [];

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

async function run(
  scheduler: fc.Scheduler,
  commands: readonly Command[],
  hasDisk: boolean,
): Promise<string[]> {
  const clock = new FakeClock();
  const disk = new MapTier();
  disk.beforeAnswer = () => scheduler.schedule(Promise.resolve(), 'disk read');
  const cache = new CacheManager({ clock, ttl, maxSize, maxBytes: 10_000 }, hasDisk ? [disk] : []);
  const world = new World();
  const callers: Promise<void>[] = [];
  const controllers: AbortController[] = [];

  const check = (value: unknown, asked: number, oldest: number, what: string) => {
    if (value === undefined) return;
    if (typeof value !== 'number') world.problems.push(`${what} of key ${asked} gave ${String(value)}`);
    else if (value < oldest)
      world.problems.push(
        `${what} of key ${asked} gave version ${value}, older than the completed write ${oldest}`,
      );
  };

  const loader =
    (loaded: number, ending: Ending) =>
    async ({ signal }: { signal: AbortSignal }) => {
      const version = world.versions[loaded]!;
      const token = world.begin(loaded);
      // An aborted load may be followed by another while its loader winds up.
      signal.addEventListener('abort', () => world.end(loaded, token), { once: true });
      try {
        await scheduler.schedule(Promise.resolve(), `load ${loaded}, first step`);
        if (ending === 'hang') await new Promise<void>((resolve) => world.releases.push(resolve));
        await scheduler.schedule(Promise.resolve(), `load ${loaded}, second step`);
        if (ending === 'error') throw new Error('tool failed');
        if (ending === 'undefined error') throw undefined;
        return version;
      } finally {
        world.end(loaded, token);
      }
    };

  const step = async (each: Command): Promise<void> => {
    if (each.kind === 'advance') {
      clock.advance(each.ms);
    } else if (each.kind === 'clear') {
      for (let written = 0; written < 4; written++) world.write(written);
      world.supersede();
      await cache.clear('tool');
    } else if (each.kind === 'get') {
      const oldest = world.versions[each.key]!;
      const found = await cache.lookup('tool', { key: each.key });
      if (found.outcome === 'error') world.problems.push('an error where nothing fails');
      if (found.outcome !== 'hit') return;
      check(found.value, each.key, oldest, 'get');
      if (found.ageMs >= ttl && found.metadata.expiresAt! <= clock.now() && found.tier === 'memory')
        world.problems.push(`get of key ${each.key} gave a value that had expired`);
    } else if (each.kind === 'set') {
      world.write(each.key);
      world.supersede(each.key);
      await cache.set('tool', { key: each.key }, world.versions[each.key]);
    } else if (each.kind === 'delete') {
      world.write(each.key);
      world.supersede(each.key);
      await cache.delete('tool', { key: each.key });
    } else if (each.kind === 'refresh') {
      const oldest = world.versions[each.key]!;
      world.supersede(each.key);
      check(
        await cache.refresh('tool', { key: each.key }, loader(each.key, 'value')),
        each.key,
        oldest,
        'refresh',
      );
    } else {
      const oldest = world.versions[each.key]!;
      const controller = new AbortController();
      if (each.abortable) {
        controllers.push(controller);
        void scheduler.schedule(Promise.resolve(), `abort ${each.key}`).then(() => controller.abort('gone'));
      }
      const signal = each.abortable ? { signal: controller.signal } : {};
      try {
        const value = await cache.getOrSet('tool', { key: each.key }, loader(each.key, each.ending), signal);
        check(value, each.key, oldest, 'getOrSet');
        if (value === undefined) world.problems.push('getOrSet gave no value');
      } catch (error) {
        const isExpected =
          error === undefined ||
          error === 'gone' ||
          (error instanceof Error && error.message === 'tool failed');
        if (!isExpected) world.problems.push(`getOrSet rejected with ${String(error)}`);
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
    const { entries, bytes } = cache.stats();
    if (entries > maxSize || bytes > 10_000)
      world.problems.push(`bounds: ${entries} entries, ${bytes} bytes`);
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
  await cache.close();
  return world.problems;
}

describe('a cache under interleaved calls', () => {
  it.each([
    ['with memory alone', false],
    ['with a slower tier', true],
  ])(
    'never answers with what is older than the last completed write, loads once, and settles every caller, %s',
    async (_, hasDisk) => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(command, { minLength: 4, maxLength: 16 }),
          async (scheduler, commands) => {
            expect(await run(scheduler, commands, hasDisk)).toEqual([]);
          },
        ),
        { numRuns: runs / 2 },
      );
    },
  );
});
