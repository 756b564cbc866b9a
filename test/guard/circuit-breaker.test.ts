import { describe, expect, it } from 'vitest';
import { CircuitBreaker, type CircuitBreakerOptions } from '../../src/guard/circuit-breaker.js';
import type { FailureThreshold } from '../../src/guard/failure-threshold.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

function setUp(options: Partial<CircuitBreakerOptions> = {}) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const breaker = new CircuitBreaker({
    name: 'search',
    threshold: { failures: 3 },
    openForMs: 1000,
    clock,
    onStateChange: (state, previous) => changes.push(`${previous.kind} > ${state.kind}`),
    ...options,
  });
  const fail = (times = 1) => {
    for (let i = 0; i < times; i++) breaker.enter().failed();
  };
  const succeed = (times = 1) => {
    for (let i = 0; i < times; i++) breaker.enter().succeeded();
  };
  return { clock, breaker, changes, fail, succeed };
}

/** Calls a tool as a load does. */
async function run<T>(
  breaker: CircuitBreaker,
  tool: () => PromiseLike<T> | T,
  isFailure: (error: unknown) => boolean = () => true,
): Promise<T> {
  const attempt = breaker.enter();
  try {
    const value = await tool();
    attempt.succeeded();
    return value;
  } catch (error) {
    if (isFailure(error)) attempt.failed();
    else attempt.withdrawn();
    throw error;
  }
}

const circuitOpen = expect.objectContaining({ code: 'ERR_CIRCUIT_OPEN' });

describe('CircuitBreaker', () => {
  it('spares a dead tool all calls but one per pause; without it every call goes there', async () => {
    async function callsOfDeadTool(failures: number): Promise<number> {
      const { breaker, clock } = setUp({ threshold: { failures } });
      let calls = 0;
      const tool = () => {
        calls++;
        throw new Error('down');
      };
      for (let i = 0; i < 1000; i++) {
        await expect(run(breaker, tool)).rejects.toThrow();
        clock.advance(10);
      }
      return calls;
    }
    expect(await callsOfDeadTool(1_000_000)).toBe(1000);
    // 3 to open it, then one probe in each of the pauses of 1 s that fit into the remaining 9.97 s.
    expect(await callsOfDeadTool(3)).toBe(3 + 9);
  });

  it('opens after as many failures in a row as asked, and counts anew after a success', () => {
    const { breaker, fail, succeed } = setUp();
    fail(2);
    succeed();
    fail(2);
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('refuses calls while open and tells by name when to come again', () => {
    const { breaker, clock, fail } = setUp();
    fail(3);
    clock.advance(400);
    expect(() => breaker.enter()).toThrow(
      expect.objectContaining({
        code: 'ERR_CIRCUIT_OPEN',
        retryAfterMs: 600,
        message: '`search` failed too often and is tried again in 600 ms',
      }),
    );
  });

  it('lets exactly one probe through, refuses the others at once, and closes when it succeeds', () => {
    const { breaker, clock, changes, fail } = setUp();
    fail(3);
    clock.advance(999);
    expect(() => breaker.enter()).toThrow(circuitOpen);
    clock.advance(1);
    const probe = breaker.enter();
    expect(() => breaker.enter()).toThrow(expect.objectContaining({ retryAfterMs: 0 }));
    probe.succeeded();
    fail(2);
    expect(changes).toEqual(['closed > open', 'open > half-open', 'half-open > closed']);
  });

  it('opens again for the whole time when the probe fails', () => {
    const { breaker, clock, fail } = setUp();
    fail(3);
    clock.advance(1000);
    fail();
    clock.advance(999);
    expect(() => breaker.enter()).toThrow(circuitOpen);
    clock.advance(1);
    breaker.enter();
  });

  it('probes again at once when the probe was withdrawn, and after a pause when it never ends', () => {
    const { breaker, clock, fail } = setUp();
    fail(3);
    clock.advance(1000);
    breaker.enter().withdrawn();
    const lost = breaker.enter();
    clock.advance(999);
    expect(() => breaker.enter()).toThrow(circuitOpen);
    clock.advance(1);
    const second = breaker.enter();
    lost.failed();
    expect(breaker.state.kind).toBe('half-open');
    second.succeeded();
    expect(breaker.state.kind).toBe('closed');
  });

  it('does not hear calls that were let through before it last opened or closed', () => {
    const { breaker, clock, fail } = setUp();
    const early = Array.from({ length: 6 }, () => breaker.enter());
    fail(3);
    early[0]!.succeeded();
    expect(breaker.state.kind).toBe('open');
    clock.advance(1000);
    const probe = breaker.enter();
    early[1]!.failed();
    early[2]!.succeeded();
    expect(breaker.state.kind).toBe('half-open');
    probe.succeeded();
    for (const passage of early.slice(3)) passage.failed();
    expect(breaker.state.kind).toBe('closed');
  });

  it('hears each call once', () => {
    const { breaker } = setUp();
    const passage = breaker.enter();
    for (let i = 0; i < 5; i++) passage.failed();
    expect(breaker.state.kind).toBe('closed');
  });

  it('counts failures that are none of the tool’s neither way', async () => {
    const { breaker, fail } = setUp();
    fail(2);
    const abort = new DOMException('gave up', 'AbortError');
    const isFailure = (error: unknown) => error !== abort;
    await expect(run(breaker, () => Promise.reject(abort), isFailure)).rejects.toBe(abort);
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('gives the value of a task and passes its failure on', async () => {
    const { breaker } = setUp();
    expect(await run(breaker, async () => 'value')).toBe('value');
    const failure = new Error('tool failed');
    await expect(run(breaker, () => Promise.reject(failure))).rejects.toBe(failure);
  });

  it('is not held open by a wall clock that is set back', () => {
    const { breaker, clock, fail } = setUp();
    fail(3);
    clock.setWallTime(0);
    clock.advance(1000);
    breaker.enter().succeeded();
    expect(breaker.state.kind).toBe('closed');
  });
});

describe('a sampled threshold', () => {
  const threshold = { failureRate: 0.5, minimumCalls: 10, withinMs: 10_000 };

  it('opens at the share of failures asked, once there were enough calls', () => {
    const { breaker, fail, succeed } = setUp({ threshold });
    fail(9);
    expect(breaker.state.kind).toBe('closed');
    succeed(10);
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('forgets calls older than its window, in tenths of it', () => {
    const { breaker, clock, fail, succeed } = setUp({ threshold });
    fail(9);
    clock.advance(9999);
    succeed(1);
    fail(0);
    clock.advance(1);
    fail(8);
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('remembers calls for nearly the whole window', () => {
    const { breaker, clock, fail } = setUp({ threshold });
    fail(9);
    clock.advance(9000);
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('opens again when the probe fails, though nothing else happened within the window', () => {
    const { breaker, clock, fail } = setUp({ threshold, openForMs: 60_000 });
    fail(10);
    clock.advance(60_000);
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('starts with a clean slate after a probe has succeeded', () => {
    const { breaker, clock, fail } = setUp({ threshold });
    fail(10);
    clock.advance(1000);
    breaker.enter().succeeded();
    fail(9);
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state.kind).toBe('open');
  });
});

describe('thresholds that make no sense', () => {
  it.each<[FailureThreshold, string]>([
    [{ failures: 0 }, 'circuitBreaker.failures'],
    [{ failures: 1.5 }, 'circuitBreaker.failures'],
    [{ failureRate: 0, minimumCalls: 1, withinMs: 1 }, 'circuitBreaker.failureRate'],
    [{ failureRate: 1.1, minimumCalls: 1, withinMs: 1 }, 'circuitBreaker.failureRate'],
    [{ failureRate: 0.5, minimumCalls: 0, withinMs: 1 }, 'circuitBreaker.minimumCalls'],
    [{ failureRate: 0.5, minimumCalls: 1, withinMs: Number.NaN }, 'circuitBreaker.withinMs'],
    [{ failureRate: 0.5, minimumCalls: 1, withinMs: Number.POSITIVE_INFINITY }, 'circuitBreaker.withinMs'],
  ])('are refused: %o', (threshold, option) => {
    expect(() => setUp({ threshold })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining(`\`${option}\``),
      }),
    );
  });
});
