import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { withDeadline } from '../../src/guard/deadline.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

describe('withDeadline', () => {
  it('gives the result of what is in time, and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const onTimeout = vi.fn();
    const { promise, resolve } = deferred<string>();
    const waiting = withDeadline(promise, { ms: 100, clock, onTimeout });
    await clock.advanceAsync(99);
    resolve('in time');
    expect(await waiting).toBe('in time');
    expect(clock.pending).toBe(0);
    await clock.advanceAsync(1000);
    expect(onTimeout).not.toHaveBeenCalled();
  });

  it('passes on a failure in time as it is', async () => {
    const clock = new FakeClock();
    const failure = new Error('tool failed');
    const waiting = withDeadline(Promise.reject(failure), { ms: 100, clock, onTimeout: () => 'late' });
    await expect(waiting).rejects.toBe(failure);
    expect(clock.pending).toBe(0);
  });

  it('answers for what is late, and what is late may still end either way', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const clock = new FakeClock();
      const slow = deferred<string>();
      const waiting = withDeadline(slow.promise, { ms: 100, clock, onTimeout: () => 'stale' });
      await clock.advanceAsync(100);
      expect(await waiting).toBe('stale');
      slow[end]('too late');
      await clock.flush();
    }
  });

  it('rejects with what onTimeout throws', async () => {
    const clock = new FakeClock();
    const tooLate = new Error('too late');
    const waiting = withDeadline(new Promise(() => {}), {
      ms: 100,
      clock,
      onTimeout: () => {
        throw tooLate;
      },
    });
    const rejected = expect(waiting).rejects.toBe(tooLate);
    await clock.advanceAsync(100);
    await rejected;
  });

  it('takes what comes within the turn of the event loop after the deadline', async () => {
    const clock = new FakeClock();
    const { promise, resolve } = deferred<string>();
    const onTimeout = vi.fn();
    const waiting = withDeadline(promise, { ms: 100, clock, onTimeout });
    clock.advance(100);
    resolve('just so');
    expect(await waiting).toBe('just so');
    await clock.flush();
    expect(onTimeout).not.toHaveBeenCalled();
  });

  it('takes an answer that lay unread in a socket while this process was stalled past the deadline', async () => {
    const { here, there, close } = await connectedSockets();
    const waiting = new Promise<string>((resolve, reject) => {
      // From an immediate on, timers come before sockets.
      setImmediate(() => {
        const answer = once(here, 'data').then(([data]) => String(data));
        withDeadline(answer, { ms: 1, clock: systemClock, onTimeout: () => 'gave up' }).then(resolve, reject);
        there.write('answer');
        const stalledUntil = performance.now() + 10;
        while (performance.now() < stalledUntil);
      });
    });
    expect(await waiting).toBe('answer');
    await close();
  });
});

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

async function connectedSockets() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const here = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[there]] = (await Promise.all([once(server, 'connection'), once(here, 'connect')])) as [
    [Socket],
    unknown,
  ];
  const close = async () => {
    here.destroy();
    there.destroy();
    server.close();
    await once(server, 'close');
  };
  return { here, there, close };
}
