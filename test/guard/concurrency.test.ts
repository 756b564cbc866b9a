import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConcurrencyLimiter, type PermitOptions } from '../../src/guard/concurrency.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Runs tasks as a load does. */
class RunningLimiter extends ConcurrencyLimiter {
  async run<T>(task: () => PromiseLike<T> | T, options?: PermitOptions): Promise<T> {
    const permit = this.enter(options);
    if (permit.granted !== undefined) await permit.granted;
    try {
      return await task();
    } finally {
      permit.leave();
    }
  }
}

function limiter(limit: number, queueLimit = Number.POSITIVE_INFINITY) {
  return new RunningLimiter({ name: 'search', limit, queueLimit });
}

/** A task that runs until it is told to end. */
function openTask(log: string[], name: string) {
  let end!: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const task = async () => {
    log.push(name);
    await ended;
    return name;
  };
  return { task, end };
}

describe('ConcurrencyLimiter', () => {
  it('never runs more at once than the limit; without it all run at once', async () => {
    async function mostAtOnce(limit: number): Promise<number> {
      const limited = limiter(limit);
      let running = 0;
      let most = 0;
      const call = () =>
        limited.run(async () => {
          most = Math.max(most, ++running);
          await turn();
          running--;
        });
      await Promise.all(Array.from({ length: 64 }, call));
      expect(limited.active + limited.queued).toBe(0);
      return most;
    }
    expect(await mostAtOnce(4)).toBe(4);
    expect(await mostAtOnce(1000)).toBe(64);
  });

  it('starts at once while there is room, and in the order of arrival after that', async () => {
    const limited = limiter(2);
    const log: string[] = [];
    const tasks = ['a', 'b', 'c', 'd', 'e'].map((name) => openTask(log, name));
    const runs = tasks.map(({ task }) => limited.run(task));
    expect(log).toEqual(['a', 'b']);
    expect([limited.active, limited.queued]).toEqual([2, 3]);
    tasks[1]!.end();
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    for (const { end } of tasks) end();
    expect(await Promise.all(runs)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(log).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('gives the turn on when a task fails or throws at once', async () => {
    const limited = limiter(1);
    const failure = new Error('tool failed');
    const runs = [
      limited.run(async () => Promise.reject(failure)),
      limited.run(() => {
        throw failure;
      }),
      limited.run(() => 'fine'),
    ];
    expect(await Promise.allSettled(runs)).toEqual([
      { status: 'rejected', reason: failure },
      { status: 'rejected', reason: failure },
      { status: 'fulfilled', value: 'fine' },
    ]);
    expect(limited.active).toBe(0);
  });

  it('refuses who comes when the queue is full, by name, and takes callers again once it is not', async () => {
    const limited = limiter(1, 1);
    const { task, end } = openTask([], 'a');
    const first = limited.run(task);
    const second = limited.run(() => 'b');
    await expect(limited.run(() => 'c')).rejects.toMatchObject({
      code: 'ERR_QUEUE_FULL',
      message: expect.stringMatching(/`search` runs 1 times already and 1 more/),
    });
    end();
    await Promise.all([first, second]);
    expect(await limited.run(() => 'd')).toBe('d');
  });

  it('runs what has room even when nobody may wait', async () => {
    expect(await limiter(1, 0).run(() => 'a')).toBe('a');
  });

  it('lets an aborted caller leave the line with its own reason, and the others keep their places', async () => {
    const limited = limiter(1, 2);
    const log: string[] = [];
    const a = openTask(log, 'a');
    const first = limited.run(a.task);
    const controller = new AbortController();
    const second = limited.run(() => log.push('b'), { signal: controller.signal });
    const third = limited.run(() => log.push('c'));
    controller.abort('no longer wanted');
    await expect(second).rejects.toBe('no longer wanted');
    const fourth = limited.run(() => log.push('d'));
    a.end();
    await Promise.all([first, third, fourth]);
    expect(log).toEqual(['a', 'c', 'd']);
  });

  it('refuses an aborted caller at once, and ends no run by an abort', async () => {
    const limited = limiter(1);
    const aborted = limited.run(() => expect.fail('ran'), { signal: AbortSignal.abort('gone') });
    await expect(aborted).rejects.toBe('gone');
    const full = limiter(1, 0);
    full.enter();
    await expect(full.run(() => 'b', { signal: AbortSignal.abort('gone') })).rejects.toBe('gone');
    const controller = new AbortController();
    const { task, end } = openTask([], 'a');
    const run = limited.run(task, { signal: controller.signal });
    controller.abort();
    expect(limited.active).toBe(1);
    end();
    expect(await run).toBe('a');
  });

  it('leaves no listener on a signal that outlives the wait', async () => {
    const limited = limiter(1);
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await Promise.all([limited.run(turn, { signal }), limited.run(turn, { signal })]);
    expect(listeners).toBe(0);
  });

  it('never lets a nested load wait for the turn of its own parent', async () => {
    const limited = limiter(1);
    const crawl = (depth: number): Promise<number> =>
      limited.run(async () => (depth === 20 ? 20 : await crawl(depth + 1)), { depth });
    expect(await crawl(0)).toBe(20);
    expect(limited.active).toBe(0);
  });

  it('never lets two tools that call each other wait for each other', async () => {
    const search = limiter(1);
    const fetch = limiter(1);
    const runs = [
      search.run(async () => turn().then(() => fetch.run(turn, { depth: 1 }))),
      fetch.run(async () => turn().then(() => search.run(turn, { depth: 1 }))),
    ];
    await Promise.all(runs);
  });

  it('limits the nested loads of one parent too', async () => {
    const limited = limiter(2);
    let running = 0;
    let most = 0;
    const child = async () => {
      most = Math.max(most, ++running);
      await turn();
      running--;
    };
    await limited.run(() => Promise.all(Array.from({ length: 10 }, () => limited.run(child, { depth: 1 }))));
    expect(most).toBe(2);
  });

  it('starts a hurried turn over the limit, once, and then holds to the limit again', async () => {
    const limited = limiter(1);
    const first = limited.enter();
    const second = limited.enter();
    const third = limited.enter();
    second.grantNow();
    second.grantNow();
    await second.granted;
    expect([limited.active, limited.queued]).toEqual([2, 1]);
    first.leave();
    first.leave();
    first.grantNow();
    expect([limited.active, limited.queued]).toEqual([1, 1]);
    second.leave();
    await third.granted;
    third.leave();
    expect([limited.active, limited.queued]).toEqual([0, 0]);
  });

  it('forgets who leaves the line, and ends no process by an abort nobody listens to any more', async () => {
    const limited = limiter(1);
    const controller = new AbortController();
    const first = limited.enter();
    const second = limited.enter({ signal: controller.signal });
    second.leave();
    controller.abort();
    await turn();
    first.leave();
    expect([limited.active, limited.queued]).toEqual([0, 0]);
  });

  it.each([0, -1, 1.5, Number.NaN, '2' as unknown as number])('refuses a limit of %o', (limit) => {
    expect(() => limiter(limit)).toThrow(/Expected `concurrency\.limit` to be a positive integer/);
    if (limit !== 0) expect(() => limiter(1, limit)).toThrow(/`concurrency\.queueLimit`/);
  });

  it('lets others run in place of one that is suspended, which queues again behind them', async () => {
    const limited = limiter(1);
    const [first, second] = [limited.enter(), limited.enter()];
    first.suspend();
    await second.granted;
    expect([limited.active, limited.queued]).toEqual([1, 0]);
    let isResumed = false;
    const resumed = first.resume().then(() => {
      isResumed = true;
    });
    await turn();
    expect([isResumed, limited.active, limited.queued]).toEqual([false, 1, 1]);
    second.leave();
    await resumed;
    expect([limited.active, limited.queued]).toEqual([1, 0]);
    // Alone it still counts.
    first.suspend();
    const third = limited.enter();
    const again = first.resume();
    expect([third.granted, limited.active, limited.queued]).toEqual([undefined, 1, 1]);
    first.grantNow();
    await again;
    expect(limited.active).toBe(2);
    for (const each of [first, third]) each.leave();
    expect([limited.active, limited.queued]).toEqual([0, 0]);
  });

  it('forgets one that leaves while it is suspended, or is aborted when it queues again', async () => {
    const limited = limiter(1);
    const left = limited.enter();
    left.suspend();
    left.leave();
    await left.resume();
    expect([limited.active, limited.queued]).toEqual([0, 0]);
    const controller = new AbortController();
    const aborted = limited.enter({ signal: controller.signal });
    aborted.suspend();
    const other = limited.enter();
    const resumed = aborted.resume();
    controller.abort(new Error('enough'));
    await expect(resumed).rejects.toThrow('enough');
    expect([limited.active, limited.queued]).toEqual([1, 0]);
    other.leave();
    expect(limited.active).toBe(0);
  });

  it('holds its limit and its order whatever comes and goes', async () => {
    const step = fc.record({
      kind: fc.constantFrom('enter', 'leave', 'abort'),
      which: fc.nat(30),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        async (limit, steps) => {
          const limited = limiter(limit);
          const started: number[] = [];
          const callers: { controller: AbortController; leave: () => void }[] = [];
          const running = new Set<number>();
          const waiting: number[] = [];
          const expected: number[] = [];
          const admit = () => {
            while (running.size < limit && waiting.length > 0) {
              const next = waiting.shift()!;
              running.add(next);
              expected.push(next);
            }
          };
          for (const { kind, which } of steps) {
            if (kind === 'enter') {
              const id = callers.length;
              const controller = new AbortController();
              const turnOf = limited.enter({ signal: controller.signal });
              callers.push({ controller, leave: () => turnOf.leave() });
              (turnOf.granted ?? Promise.resolve()).then(
                () => started.push(id),
                () => undefined,
              );
              waiting.push(id);
            } else if (which < callers.length) {
              const caller = callers[which]!;
              const place = waiting.indexOf(which);
              if (place >= 0) waiting.splice(place, 1);
              if (kind === 'abort') caller.controller.abort();
              else {
                caller.leave();
                running.delete(which);
              }
            }
            admit();
            await Promise.resolve();
            await Promise.resolve();
            expect([limited.active, limited.queued]).toEqual([running.size, waiting.length]);
            expect(started).toEqual(expected);
          }
        },
      ),
    );
  });
});
