/** Rollouts whose world is made again only when a tool has to run. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type RecordedWrite, Rollout, type RolloutEnvironment } from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/index.js';

const effects = Object.freeze({
  get: { reads: ['n'] },
  other: { reads: ['m'] },
  add: { writes: ['n'] },
  pure: 'pure',
  clock: 'opaque',
} as const);

/** A counter: the world of one rollout. */
function counter(step = 1) {
  const world = { n: 0, ran: 0, replayed: [] as RecordedWrite[], forked: 0 };
  const environment: RolloutEnvironment = {
    replay(writes) {
      world.replayed.push(...writes);
      return writes.map(({ input }) => {
        world.n += (input as { by: number }).by * step;
        return world.n;
      });
    },
  };
  return { world, environment };
}

function begin(cache: CacheManager, { world, environment }: ReturnType<typeof counter>) {
  const rollout = new Rollout(cache, { effects, task: 't', environment });
  const run = <T>(tool: string, input: object, does: () => T) =>
    rollout.call(tool, input, async () => {
      world.ran += 1;
      return does();
    });
  return {
    get: () => run('get', {}, () => world.n),
    other: () => run('other', {}, () => `other ${world.n}`),
    add: (by: number) =>
      run('add', { by }, () => {
        world.n += by;
        return world.n;
      }),
  };
}

describe('an environment', () => {
  it('is not needed while all is known, and made from the writes when it is', async () => {
    const cache = new CacheManager();
    const first = counter();
    const one = begin(cache, first);
    expect([await one.add(2), await one.get(), await one.add(3), await one.get()]).toEqual([2, 2, 5, 5]);
    expect(first.world).toMatchObject({ ran: 4, replayed: [] });
    const second = counter();
    const two = begin(cache, second);
    expect([await two.add(2), await two.get(), await two.add(3), await two.get()]).toEqual([2, 2, 5, 5]);
    expect(second.world).toMatchObject({ ran: 0, n: 0 });
    expect(await two.other()).toBe('other 5');
    expect(second.world).toMatchObject({ ran: 1, n: 5 });
    expect(second.world.replayed).toEqual([
      { tool: 'add', input: { by: 2 } },
      { tool: 'add', input: { by: 3 } },
    ]);
    // From here on writes run, and others share them.
    expect(await two.add(4)).toBe(9);
    const third = counter();
    const three = begin(cache, third);
    expect([await three.add(2), await three.add(3), await three.add(4)]).toEqual([2, 5, 9]);
    expect(third.world.ran).toBe(0);
  });

  it('never runs a write behind its back to renew what it came to', async () => {
    const clock = new FakeClock();
    const method = { ttl: 10, staleWhileRevalidate: 1000, refreshAhead: { beta: 1000 } };
    const cache = new CacheManager({ clock, methods: { add: method } });
    expect(await begin(cache, counter()).add(1)).toBe(1);
    const within = counter();
    expect(await begin(cache, within).add(1)).toBe(1);
    expect(within.world).toMatchObject({ ran: 0, n: 0 });
    clock.advance(20);
    const after = counter();
    expect(await begin(cache, after).add(1)).toBe(1);
    expect(after.world).toMatchObject({ ran: 1, n: 1 });
  });

  it('may begin with a copy of a world that has some of it behind it', async () => {
    const cache = new CacheManager();
    const one = begin(cache, counter());
    await one.add(1);
    await one.add(1);
    const forked = counter();
    const fork = (writes: readonly RecordedWrite[]) => {
      forked.world.n = 1;
      return writes.length - 1;
    };
    const two = begin(cache, { world: forked.world, environment: { ...forked.environment, fork } });
    await two.add(1);
    await two.add(1);
    expect(await two.other()).toBe('other 2');
    expect(forked.world.replayed).toHaveLength(1);
  });

  it('that comes to something else ends the rollout', async () => {
    const cache = new CacheManager();
    const one = begin(cache, counter());
    await one.add(1);
    await one.get();
    const two = begin(cache, counter(7));
    expect(await two.add(1)).toBe(1);
    await expect(two.other()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_DIVERGED' });
    await expect(two.get()).rejects.toMatchObject({ code: 'ERR_ROLLOUT_DIVERGED' });
    expect(await begin(cache, counter()).other()).toBe('other 0');
  });

  it('that fails ends the rollout with its error, and one that forks wrongly is told', async () => {
    const cache = new CacheManager();
    const failing = {
      world: counter().world,
      environment: { replay: () => Promise.reject(new Error('no container')) },
    };
    await begin(cache, counter()).add(1);
    const rollout = begin(cache, failing);
    await rollout.add(1);
    await expect(rollout.other()).rejects.toThrow('no container');
    const { world, environment } = counter();
    const odd = begin(cache, { world, environment: { ...environment, fork: () => 7 } });
    await expect(odd.other()).rejects.toThrow('Expected `environment.fork()` to return how many of 0 writes');
  });

  describe('calls its own rollout', () => {
    const asking = async (environment: (call: (tool: string) => Promise<unknown>) => RolloutEnvironment) => {
      const cache = new CacheManager();
      await begin(cache, counter()).add(1);
      const call = (tool: string): Promise<unknown> => rollout.call(tool, { by: 1 }, () => `own ${tool}`);
      const rollout = new Rollout(cache, { effects, task: 't', environment: environment(call) });
      expect(await call('add')).toBe(1);
      return call;
    };

    it.each(['get', 'clock', 'add', 'undeclared'])('for `%s`, and is told so', async (tool) => {
      const ofReplay = await asking((call) => ({ replay: async () => [await call(tool)] }));
      const other = ofReplay('other');
      await expect(other).rejects.toMatchObject({ code: 'ERR_REENTRANT_LOAD' });
      await expect(other).rejects.toThrow(`called \`${tool}\` through that same rollout`);
      const ofFork = await asking((call) => ({
        replay: () => [1],
        fork: async () => Number(await call(tool)),
      }));
      await expect(ofFork('other')).rejects.toMatchObject({ code: 'ERR_REENTRANT_LOAD' });
    });

    it("through another one's environment too", async () => {
      const inner = await asking((call) => ({ replay: async () => [await outer('get'), await call('add')] }));
      const outer: typeof inner = await asking(() => ({ replay: async () => [await inner('other')] }));
      await expect(outer('other')).rejects.toMatchObject({ code: 'ERR_REENTRANT_LOAD' });
    });

    it('for a pure tool, or once it is done, as anybody may', async () => {
      let late: Promise<unknown> | undefined;
      const call = await asking((own) => ({
        replay: async () => {
          late = new Promise((resolve) => setTimeout(() => resolve(own('get')), 5));
          return [await own('pure').then(() => 1)];
        },
      }));
      expect(await call('other')).toBe('own other');
      expect(await late).toBe('own get');
    });
  });

  it('is shared with nobody whose write failed', async () => {
    const cache = new CacheManager();
    const rollouts = [counter(), counter()].map(({ world, environment }) => ({
      world,
      rollout: new Rollout(cache, { effects, task: 't', environment }),
    }));
    const results = await Promise.allSettled(
      rollouts.map(({ rollout, world }, at) =>
        rollout.call('add', { by: 1 }, async () => {
          world.ran += 1;
          if (at === 0) throw new Error('failed');
          return 1;
        }),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(rollouts.map(({ world }) => world.ran)).toEqual([1, 1]);
  });
});
