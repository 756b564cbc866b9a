/** Rollouts that share results, and whose worlds, writes and tools wait for one another: none must wait for itself. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConcurrencyLimiter, type Permit } from '../../src/guard/concurrency.js';
import { CacheManager } from '../../src/index.js';
import { Rollout, type RolloutEnvironment, type RolloutOptions } from '../../src/rollout/index.js';

const effects = Object.freeze({
  get: { reads: ['n'] },
  other: { reads: ['m'] },
  add: { writes: ['n'] },
  put: { writes: ['m'] },
} as const);

/** A gate that is opened by hand. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** What a promise comes to, or `'hangs'` where nothing moves any more. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let result: unknown = 'hangs';
  promise.then(
    (value) => {
      result = value;
    },
    (error: { code?: unknown }) => {
      result = error.code ?? error;
    },
  );
  for (let turn = 0; turn < 50 && result === 'hangs'; turn++) await new Promise(setImmediate);
  return result;
}

function rolloutOn(cache: CacheManager, options: Partial<RolloutOptions> = {}): Rollout {
  return new Rollout(cache, { effects, task: 't', ...options });
}

/** Turns of the event loop in which all goes as far as it can. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
}

describe('a world that another rollout holds', () => {
  /** Rollouts that take their worlds from a pool of one, and give it back when their trajectory is over. */
  function pool(cache: CacheManager) {
    let free = Promise.resolve();
    return () => {
      const over = gate();
      const ran: string[] = [];
      const rollout = rolloutOn(cache, {
        environment: {
          async fork() {
            const mine = free;
            free = over.opened;
            await mine;
            return 0;
          },
          replay: (writes) => writes.map(() => 'done'),
        },
      });
      const call = (tool: string, input: object = {}) =>
        rollout.call(tool, input, () => {
          ran.push(tool);
          return tool.startsWith('get') || tool === 'other' ? `${tool} read` : 'done';
        });
      return { call, ran, over: over.open };
    };
  }

  it('is not waited for by who holds it, through a load that waits for it', async () => {
    const begin = pool(new CacheManager());
    const [first, second] = [begin(), begin()];
    await first.call('get');
    const waiting = second.call('other');
    await settled();
    expect(await outcome(first.call('other'))).toBe('other read');
    expect(first.ran).toEqual(['get', 'other']);
    // Who comes now is answered by what it came to.
    expect(await begin().call('other')).toBe('other read');
    first.over();
    expect(await outcome(waiting)).toBe('other read');
    expect(second.ran).toEqual(['other']);
  });

  it('nor where the holder joined before the load came to wait for it', async () => {
    const begin = pool(new CacheManager());
    const [first, second] = [begin(), begin()];
    await first.call('get');
    const both = [second.call('other'), first.call('other')] as const;
    expect(await outcome(both[1])).toBe('other read');
    first.over();
    expect(await outcome(both[0])).toBe('other read');
  });

  it('nor where the holder had none yet when it joined', async () => {
    const begin = pool(new CacheManager());
    const [first, second, third] = [begin(), begin(), begin()];
    await first.call('get');
    const waiting = second.call('other');
    await settled();
    const joined = third.call('other');
    await settled();
    first.over();
    // The second has the world now, and the third is next; it must not wait for what waits for the second.
    expect(await outcome(waiting)).toBe('other read');
    expect(await outcome(joined)).toBe('other read');
    expect(third.ran).toEqual([]);
  });

  it('nor by one that came to hold it while it waited for a read', async () => {
    const cache = new CacheManager();
    const begin = pool(cache);
    const [first, second] = [begin(), begin()];
    // Neither has a world; the second joins the first, then takes the only one.
    const held = gate();
    const slow = rolloutOn(cache, {
      environment: { fork: () => held.opened.then(() => 0), replay: () => [] },
    });
    const waiting = slow.call('other', {}, () => 'other read');
    await settled();
    const joined = second.call('other');
    await settled();
    await second.call('get');
    expect(await outcome(joined)).toBe('other read');
    expect(second.ran).toEqual(['get', 'other']);
    held.open();
    expect(await outcome(waiting)).toBe('other read');
    second.over();
    expect(await outcome(first.call('get'))).toBe('get read');
  });

  it('nor by one that came to hold it while it waited for a write', async () => {
    const cache = new CacheManager();
    const begin = pool(cache);
    const second = begin();
    const held = gate();
    const slow = rolloutOn(cache, {
      environment: { fork: () => held.opened.then(() => 0), replay: () => [] },
    });
    const waiting = slow.call('add', {}, () => 'done');
    await settled();
    const joined = second.call('add');
    await settled();
    await second.call('other');
    expect(await outcome(joined)).toBe('done');
    expect(second.ran).toEqual(expect.arrayContaining(['other', 'add']));
    held.open();
    expect(await outcome(waiting)).toBe('done');
    expect(await outcome(second.call('get'))).toBe('get read');
  });

  it('nor by one that has a world of its own anyway', async () => {
    const cache = new CacheManager();
    const held = gate();
    const slow = rolloutOn(cache, {
      environment: { fork: () => held.opened.then(() => 0), replay: () => [] },
    });
    const waiting = slow.call('get', {}, () => 1);
    await settled();
    expect(await outcome(rolloutOn(cache).call('get', {}, () => 1))).toBe(1);
    held.open();
    expect(await outcome(waiting)).toBe(1);
  });

  it('nor for the permit of a load that waits for it', async () => {
    const cache = new CacheManager({ methods: { get: { concurrency: 1 }, add: { concurrency: 1 } } });
    const begin = pool(cache);
    const [first, second, third] = [begin(), begin(), begin()];
    await first.call('other');
    // A write too is loaded where its world can be made again.
    const waiting = [second.call('get', { key: 2 }), third.call('add', { key: 3 })];
    await settled();
    expect(await outcome(first.call('get', { key: 1 }))).toBe('get read');
    expect(await outcome(first.call('add', { key: 1 }))).toBe('done');
    expect(cache.stats('get')).toMatchObject({ running: 0, queued: 0 });
    first.over();
    expect(await outcome(waiting[0]!)).toBe('get read');
    second.over();
    expect(await outcome(waiting[1]!)).toBe('done');
    expect(cache.stats('add')).toMatchObject({ running: 0, queued: 0 });
  });

  it('while others without a world wait together, and only one is made', async () => {
    const begin = pool(new CacheManager());
    const rollouts = [begin(), begin(), begin()];
    const all = rollouts.map(({ call }) => call('other'));
    for (const each of all) expect(await outcome(each)).toBe('other read');
    expect(rollouts.map(({ ran }) => ran)).toEqual([['other'], [], []]);
  });
});

describe('rollouts that call each other', () => {
  it('while each makes its world: one is told', async () => {
    const cache = new CacheManager();
    const seed = rolloutOn(cache, { environment: { replay: () => [] } });
    await seed.call('add', {}, () => 1);
    const both = [gate(), gate()] as const;
    const make = (at: 0 | 1): Rollout => {
      const environment = {
        replay: async () => {
          both[at].open();
          await both[1 - at]!.opened;
          await rollouts[1 - at]!.call(`other`, { at }, () => 'other');
          return [1];
        },
      };
      return rolloutOn(cache, { environment });
    };
    const rollouts = [make(0), make(1)];
    for (const each of rollouts) expect(await each.call('add', {}, () => 1)).toBe(1);
    const outcomes = await Promise.all(
      rollouts.map((each, at) => outcome(each.call('get', { at }, () => 'got'))),
    );
    expect(outcomes).toEqual(['ERR_REENTRANT_LOAD', 'ERR_REENTRANT_LOAD']);
  });

  it('for the read that the other makes its world for: it runs its own tool', async () => {
    const cache = new CacheManager();
    const helper = rolloutOn(cache, { id: 'helper' });
    const rollout = rolloutOn(cache, {
      environment: { fork: async () => Number(await helper.call('get', {}, () => 0)), replay: () => [] },
    });
    expect(await outcome(rollout.call('get', {}, () => 0))).toBe(0);
  });

  it('from within writes that run: none waits for the other', async () => {
    const cache = new CacheManager();
    const [one, two] = [rolloutOn(cache, { id: 1 }), rolloutOn(cache, { id: 2 })];
    const both = [gate(), gate()] as const;
    const write = (own: Rollout, other: Rollout, at: 0 | 1, inner: (other: Rollout) => Promise<unknown>) =>
      own.call('add', { at }, async () => {
        both[at].open();
        await both[1 - at]!.opened;
        return inner(other);
      });
    const get = (of: Rollout) => of.call('get', {}, () => 'got');
    const results = [write(one, two, 0, get), write(two, one, 1, get)];
    for (const each of results) expect(await outcome(each)).toBe('got');
  });

  it('from within writes, to write there: none waits for the other', async () => {
    const cache = new CacheManager();
    const [one, two] = [rolloutOn(cache, { id: 1 }), rolloutOn(cache, { id: 2 })];
    const both = [gate(), gate()] as const;
    const write = (own: Rollout, other: Rollout, at: 0 | 1) =>
      own.call('add', { at }, async () => {
        both[at].open();
        await both[1 - at]!.opened;
        return other.call('add', { inner: at }, () => 'added');
      });
    const results = [write(one, two, 0), write(two, one, 1)];
    for (const each of results) expect(await outcome(each)).toBe('added');
  });

  it('through a read that others load: none waits for the other', async () => {
    const cache = new CacheManager();
    const [one, two] = [rolloutOn(cache, { id: 1 }), rolloutOn(cache, { id: 2 })];
    // The first's read is loaded by a tool that asks the second, which is writing and asks for that very read.
    const begun = gate();
    const loading = gate();
    const writing = two.call('put', {}, async () => {
      begun.open();
      await loading.opened;
      return rolloutOn(cache, { id: 3 }).call('get', {}, () => 'own');
    });
    await begun.opened;
    const reading = one.call('get', {}, async () => {
      const inner = two.call('other', {}, () => 'other');
      loading.open();
      return `got ${await inner}`;
    });
    expect(await outcome(reading)).toMatch(/^got/);
    expect(await outcome(writing)).not.toBe('hangs');
  });
});

const tools = ['get', 'other', 'add', 'put'] as const;
const plannedCall = fc.record({ tool: fc.constantFrom(...tools), key: fc.nat(1), turns: fc.nat(2) });
/** Calls of one rollout, some of them at once. Most rollouts do the same. */
const program = fc.array(fc.array(plannedCall, { minLength: 1, maxLength: 2 }), { maxLength: 5 });
const group = fc.record({
  common: program,
  own: fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, program), {
    minLength: 4,
    maxLength: 4,
  }),
  starts: fc.array(fc.nat(6), { minLength: 4, maxLength: 4 }),
  pauses: fc.array(fc.array(fc.nat(4), { minLength: 5, maxLength: 5 }), { minLength: 4, maxLength: 4 }),
  places: fc.integer({ min: 1, max: 2 }),
  concurrency: fc.constantFrom(1, 2, undefined),
  hasWorld: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
});

it('rollouts that share a pool of worlds, permits and loads all come to their end, with their own answers', async () => {
  await fc.assert(
    fc.asyncProperty(group, async ({ common, own, starts, pauses, places, concurrency, hasWorld }) => {
      const cache = new CacheManager(concurrency === undefined ? {} : { concurrency });
      const limiter = new ConcurrencyLimiter({ name: 'pool', limit: places, queueLimit: 100 });
      const wrong: unknown[] = [];
      const play = async (steps: typeof common, at: number) => {
        // What was written, in order, is the world; it is answered by what has been written there before.
        const world: string[] = [];
        const truth: string[] = [];
        const apply = (to: string[], { tool, key }: { tool: string; key: number }) => {
          const resource = tool === 'get' || tool === 'add' ? 'n' : 'm';
          if (tool === 'add' || tool === 'put') to.push(`${resource}${key}`);
          return `${key}: ${to.filter((each) => each.startsWith(resource)).join()}`;
        };
        const place = { permit: undefined as Permit | undefined };
        const environment: RolloutEnvironment = {
          async fork() {
            place.permit = limiter.enter();
            await place.permit.granted;
            return 0;
          },
          replay: (writes) =>
            writes.map(({ tool, input }) => apply(world, { tool, ...(input as { key: number }) })),
        };
        const rollout = rolloutOn(cache, hasWorld[at] ? {} : { environment });
        await turnsOf(starts[at]!);
        for (const [step, calls] of steps.entries()) {
          await turnsOf(pauses[at]![step]!);
          // Together only what does not touch the same.
          const together =
            new Set(calls.map(({ tool }) => tool)).size < calls.length ? calls.slice(0, 1) : calls;
          const isApart =
            together.every(({ tool }) => tool === 'get' || tool === 'other') || together.length === 1;
          const batch = isApart ? together : together.slice(0, 1);
          await Promise.all(
            batch.map(async ({ tool, key, turns }) => {
              const answer = await rollout.call(tool, { key }, async () => {
                await turnsOf(turns);
                return apply(world, { tool, key });
              });
              const expected = apply(truth, { tool, key });
              if (answer !== expected) wrong.push({ at, tool, key, answer, expected });
            }),
          );
        }
        place.permit?.leave();
      };
      const all = own.map((each, at) => play(each ?? common, at));
      let isOver = false;
      const ended = Promise.all(all).then(() => {
        isOver = true;
      });
      for (let turn = 0; turn < 2000 && !isOver; turn++) await new Promise(setImmediate);
      expect([isOver, wrong]).toEqual([true, []]);
      await ended;
    }),
    { numRuns: 150 },
  );
});

async function turnsOf(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}
