/** Scenarios of the guards against slow tools. */

import { gate, settle } from '../../helper/gate.js';
import { makeCache, outcomeWithin, scenario } from './scenario.js';

export const softTimeout = scenario({
  does: 'answers a stale value when the tool is slow, and stores what that says in the end',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { softTimeout: 200 } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 1000, staleIfError: '1h', ...own });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const done = gate<string>();
    const asking = cache.getOrSet('tool', 1, () => done.promise);
    const answers = [await outcomeWithin(clock, 199, asking), await outcomeWithin(clock, 1, asking)];
    done.open('new');
    await settle();
    return [...answers, await cache.get('tool', 1), cache.stats().softTimeouts];
  },
  guarded: ['waiting', 'stale', 'new', 1],
  bare: ['waiting', 'waiting', 'new', 0],
});

export const hardTimeout = scenario({
  does: 'ends the wait for a tool that hangs and aborts it, and leaves one that answers in time alone',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { hardTimeout: 1000 } : {};
    const { cache, clock } = makeCache(toolstash, own);
    const signals: AbortSignal[] = [];
    const hanging = ({ signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const asking = cache.getOrSet('tool', 'hangs', hanging);
    const answers = [await outcomeWithin(clock, 999, asking), await outcomeWithin(clock, 1, asking)];
    const done = gate<string>();
    const inTime = cache.getOrSet('tool', 'slow', ({ signal }) => {
      signals.push(signal);
      return done.promise;
    });
    await clock.advanceAsync(900);
    done.open('in time');
    answers.push(await outcomeWithin(clock, 0, inTime));
    const timers = clock.pending;
    await clock.advanceAsync(60_000);
    const aborted = signals.map((each) => each.aborted && (each.reason as { code: string }).code);
    return { answers, aborted, timeouts: cache.stats().hardTimeouts, timers };
  },
  guarded: {
    answers: ['waiting', 'ERR_LOADER_TIMEOUT', 'in time'],
    aborted: ['ERR_LOADER_TIMEOUT', false],
    timeouts: 1,
    timers: 0,
  },
  bare: { answers: ['waiting', 'waiting', 'in time'], aborted: [false, false], timeouts: 0, timers: 0 },
});

export const concurrency = scenario({
  does: 'lets a tool run so many times at once, in the order of the calls, and refuses more than may wait',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { concurrency: { limit: 3, queueLimit: 10 } } : {};
    const { cache, clock } = makeCache(toolstash, own);
    const order: number[] = [];
    let [running, most] = [0, 0];
    const load = (id: number) => async () => {
      order.push(id);
      running += 1;
      most = Math.max(most, running);
      await settle();
      running -= 1;
      return id;
    };
    const ids = Array.from({ length: 15 }, (_, id) => id);
    const asking = ids.map((id) => cache.getOrSet('tool', id, load(id)));
    let refused = 0;
    const settled = asking.map((each) =>
      each.catch(() => {
        refused += 1;
      }),
    );
    for (let permit = 0; permit < 10; permit += 1) await settle();
    await outcomeWithin(clock, 0, Promise.all(settled));
    return { most, refused, isInOrder: order.every((id, index) => id === index), ran: order.length };
  },
  guarded: { most: 3, refused: 2, isInOrder: true, ran: 13 },
  bare: { most: 15, refused: 0, isInOrder: true, ran: 15 },
});

export const nestedTurns = scenario<unknown>({
  does: 'does not let a load wait for a turn that its own parent holds',
  async drive(toolstash, isGuarded) {
    const { cache, clock } = makeCache(toolstash, isGuarded ? { concurrency: 1 } : {});
    /** What limits by hand: one semaphore, whoever asks. */
    let last: Promise<unknown> = Promise.resolve();
    const oneByOne = (load: () => Promise<number>) => {
      const permit = last.then(load);
      last = permit.catch(() => undefined);
      return permit;
    };
    const deep = (level: number): Promise<number> => {
      const load = async () => (level === 0 ? 0 : 1 + (await deep(level - 1)));
      return isGuarded ? cache.getOrSet('tool', level, load) : oneByOne(load);
    };
    return outcomeWithin(clock, 0, deep(4));
  },
  guarded: 4,
  bare: 'waiting',
});
