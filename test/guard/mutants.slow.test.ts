/**
 * Every guard prevents a harm that comes without it, and each of these changes of its source is noticed: the guard's
 * own scenario runs against the library with just that change.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import { inForm } from '../helper/form.js';
import { buildLibrary, type Mutation, mutatedSource, type Toolstash } from '../helper/mutant.js';
import * as absence from './scenario/absence.js';
import * as expiry from './scenario/expiry.js';
import * as failingTool from './scenario/failing-tool.js';
import * as hungLoad from './scenario/hung-load.js';
import type { Scenario } from './scenario/scenario.js';
import * as singleFlight from './scenario/single-flight.js';
import * as slowTool from './scenario/slow-tool.js';
import * as worthAndTags from './scenario/worth-and-tags.js';

/** A mutant: the file, what is there once, what stands there instead. */
type Mutant = readonly [file: string, from: string, to: string];

const guards: readonly (readonly [name: string, scenario: Scenario, mutants: readonly Mutant[]])[] = [
  [
    'single flight',
    singleFlight.stampede,
    [
      ['guard/keyed-work.ts', 'this.#joinable.set(work.key, { work });', 'void work;'],
      ['guard/single-flight.ts', 'if (--flight.waiters > 0 || ', 'if (--flight.waiters < 0 || '],
    ],
  ],
  [
    'single flight',
    singleFlight.lateResult,
    [
      ['guard/keyed-work.ts', 'place.work.superseded = true;\n', ''],
      [
        'guard/keyed-work.ts',
        'place.work = undefined;\n    this.#joinable.delete(key);\n  }\n\n  /** Supersedes',
        '}\n\n  /** Supersedes',
      ],
    ],
  ],
  [
    'single flight',
    singleFlight.ownKey,
    [
      ['guard/single-flight.ts', 'if (flight.node.reaches(parent)) ', 'if (false) '],
      ['guard/wait-graph.ts', 'if (above.done || above.value === this) return !above.done;', 'return false;'],
    ],
  ],
  [
    'staleWhileRevalidate',
    expiry.staleWhileRevalidate,
    [
      ['guard/stale.ts', 'if (now < staleAt + staleWhileRevalidate)', 'if (now < staleAt)'],
      ['guard/stale.ts', 'if (now < staleAt + staleWhileRevalidate)', 'if (staleWhileRevalidate > 0)'],
      [
        'guard/stale.ts',
        'if (now < staleAt + staleWhileRevalidate)',
        'if (now <= staleAt + staleWhileRevalidate)',
      ],
    ],
  ],
  [
    'staleWhileRevalidate',
    expiry.failingRenewals,
    [
      ['guard/stale.ts', '2 ** Math.min(failures - 1, 52)', '1'],
      ['guard/stale.ts', 'if (failures <= 0) return 0;', 'return 0;'],
    ],
  ],
  [
    'refreshAhead',
    expiry.refreshAhead,
    [
      [
        'guard/refresh-ahead.ts',
        'now - loadMs * beta * Math.log(1 - random()) >= expiresAt',
        'now >= expiresAt',
      ],
      ['guard/refresh-ahead.ts', 'now - loadMs * beta * Math.log(1 - random()) >= expiresAt', 'beta > 0'],
      ['guard/refresh-ahead.ts', 'now - loadMs * beta', 'now + loadMs * beta'],
    ],
  ],
  [
    'jitter',
    expiry.jitter,
    [
      ['guard/jitter.ts', 'ttlMs - Math.floor(random() * spread)', 'ttlMs'],
      ['guard/jitter.ts', 'ttlMs - Math.floor(random() * spread)', 'ttlMs + Math.floor(random() * spread)'],
      ['guard/jitter.ts', 'Math.floor(random() * spread)', 'Math.floor(spread)'],
    ],
  ],
  [
    'TTL classes',
    expiry.ttlClasses,
    [['options.ts', 'own.ttl === undefined ? inherited.ttl :', 'own.ttl !== null ? inherited.ttl :']],
  ],
  [
    'memoryTtl',
    expiry.memoryTtl,
    [
      ['manager/create-entry.ts', 'Math.min(expiresAt, memoryEnds)', 'expiresAt'],
      [
        'manager/create-entry.ts',
        '{ createdAt, staleAt }: MemoryEntry,',
        '{ createdAt, expiresAt: staleAt }: MemoryEntry,',
      ],
    ],
  ],
  [
    'negativeTtl',
    absence.negativeTtl,
    [
      ['manager/create-entry.ts', 'isNothing ? negativeTtl : options.ttl', 'options.ttl'],
      [
        'manager/create-entry.ts',
        'negativeTtl !== undefined && isNegative(value)',
        'negativeTtl !== undefined',
      ],
      ['guard/negative.ts', 'value === null || value === undefined', '!value'],
      ['guard/negative.ts', 'value === null || value === undefined', 'value === undefined'],
    ],
  ],
  [
    'knownKeys',
    absence.knownKeys,
    [
      [
        'guard/bloom-bits.ts',
        '(1 << (position & 31))) === 0) return false;',
        '(1 << (position & 31))) === 0) break;',
      ],
      ['guard/bloom-bits.ts', 'const before = this.words[word]!;', 'const before = 0;'],
      ['guard/bloom-bits.ts', 'Math.round(bitsPerKey * Math.LN2)', '1'],
    ],
  ],
  [
    'staleIfError',
    failingTool.staleIfError,
    [
      ['guard/stale.ts', 'if (now < staleAt + staleIfError)', 'if (now < staleAt)'],
      ['guard/stale.ts', 'if (now < staleAt + staleIfError)', 'if (staleIfError > 0)'],
      ['guard/stale.ts', 'if (now < staleAt + staleIfError)', 'if (now <= staleAt + staleIfError)'],
    ],
  ],
  [
    'cacheErrors',
    failingTool.cacheErrors,
    [
      ['guard/error-cache.ts', "ttl === false ? 0 : parseDuration(ttl, 'cacheErrors()')", '0'],
      ['guard/error-cache.ts', 'ttl === false ? 0 :', 'ttl === false ? 1000 :'],
      ['guard/error-snapshot.ts', 'return new Copying().of(this.#original, 0);', 'return this.#original;'],
      ['guard/error-snapshot.ts', 'this.#original = copying.of(error, 0);', 'this.#original = error;'],
    ],
  ],
  [
    'isError',
    failingTool.errorResults,
    [['manager/load/store-result.ts', 'return options.isError?.(value) === true;', 'return false;']],
  ],
  [
    'circuitBreaker',
    failingTool.circuitBreaker,
    [
      ['guard/failure-threshold.ts', 'return ++this.#inARow >= this.#most;', 'return false;'],
      ['guard/circuit-breaker.ts', 'if (wait <= 0) return;', 'if (wait === wait) return;'],
      ['guard/circuit-breaker.ts', 'if (wait <= 0) return;', ''],
      ['guard/circuit-breaker.ts', 'if (isProbe) this.#close();', 'if (isProbe) this.#open(0);'],
    ],
  ],
  [
    'circuitBreaker',
    failingTool.circuitBreakerByRate,
    [
      ['guard/failure-threshold.ts', 'failures >= failureRate * calls', 'failures === calls'],
      ['guard/failure-threshold.ts', 'calls >= minimumCalls && failures', 'failures'],
      ['guard/failure-threshold.ts', 'failures >= failureRate * calls', 'true'],
    ],
  ],
  [
    'softTimeout',
    slowTool.softTimeout,
    [
      ['guard/deadline.ts', 'callOff = onNextTurn(expire);', ''],
      ['guard/deadline.ts', 'schedule(passed, ms,', 'schedule(passed, ms * 10,'],
      ['guard/deadline.ts', 'resolve(onTimeout() as Awaited<Late>);', 'onTimeout();'],
    ],
  ],
  [
    'hardTimeout',
    slowTool.hardTimeout,
    [
      ['guard/deadline.ts', 'callOff = onNextTurn(expire);', ''],
      ['guard/deadline.ts', 'schedule(passed, ms,', 'schedule(passed, ms / 2,'],
      ['guard/deadline.ts', 'timer.cancel();', ''],
    ],
  ],
  [
    'hardTimeout',
    hungLoad.hungLoad,
    [
      // An old load that takes new callers.
      ['guard/single-flight.ts', 'this.retire(flight);\n    flight.expire(error);', 'flight.abort(error);'],
      ['manager/load/load-bound.ts', 'core.loads.expire(flight,', 'flight.abort('],
      ['guard/single-flight.ts', 'this.abort(error);\n    this.#fail?.(error);', 'this.#fail?.(error);'],
    ],
  ],
  [
    'hardTimeout',
    hungLoad.hungBehindStale,
    [
      [
        'manager/load/load-bound.ts',
        'startDeadline({ ms: hardTimeout,',
        'startDeadline({ ms: hardTimeout * 100,',
      ],
    ],
  ],
  [
    'hardTimeout',
    hungLoad.hungThenDown,
    [
      [
        'manager/load/load.ts',
        'if (flight.signal.reason instanceof LoaderTimeoutError) attempt.failed();\n    else attempt.withdrawn();',
        'attempt.withdrawn();',
      ],
    ],
  ],
  [
    'concurrency',
    slowTool.concurrency,
    [
      ['guard/concurrency.ts', 'return this.active >= this.#limit;', 'return false;'],
      ['guard/concurrency.ts', 'return this.active >= this.#limit;', 'return this.active > this.#limit;'],
      ['guard/concurrency.ts', 'lane.waiting.size >= this.#options.queueLimit', 'false'],
      ['guard/concurrency.ts', 'this.waiting.first?.grantNow()', ''],
      ['linked-list.ts', 'return this.#first;', 'return this.#last;'],
    ],
  ],
  [
    'concurrency',
    slowTool.nestedTurns,
    [
      [
        'guard/concurrency.ts',
        'enter({ signal, depth = 0 }: PermitOptions = {}): Permit {',
        'enter({ signal }: PermitOptions = {}): Permit { const depth = 0;',
      ],
      [
        'guard/wait-graph.ts',
        'Math.max(this.#depth, this.#permit.depth + 1) : this.#depth',
        'this.#depth : this.#depth',
      ],
    ],
  ],
  [
    'tags',
    worthAndTags.tags,
    [
      [
        'guard/tag-invalidation.ts',
        'marker !== undefined && compareStamps(stamp, marker.stamp) <= 0',
        'false',
      ],
      [
        'guard/tag-invalidation.ts',
        'marker !== undefined && compareStamps(stamp, marker.stamp) <= 0',
        'marker !== undefined',
      ],
      ['guard/tag-invalidation.ts', 'this.#markers.mark(tag, stamp)', 'undefined'],
    ],
  ],
  [
    'tags',
    worthAndTags.tagMarkers,
    [
      ['guard/tag-invalidation.ts', 'if (this.#isBelowWatermark(stamp)) return true;', ''],
      [
        'guard/tag-invalidation.ts',
        'if (this.#isBelowWatermark(stamp)) return true;',
        'if (this.#watermark) return true;',
      ],
    ],
  ],
  [
    'sliding',
    expiry.sliding,
    [
      [
        'store/memory-entry.ts',
        'now - this.lastAccess >= this.idleMs',
        'now - this.createdAt >= this.idleMs',
      ],
      ['store/memory-entry.ts', 'now - this.lastAccess >= this.idleMs', 'false'],
      ['store/memory-entry.ts', 'this.lastAccess = now;', ''],
      ['manager/create-entry.ts', 'slides && maxAge !== undefined ? maxAge : ttl', 'slides ? null : ttl'],
    ],
  ],
  [
    'gdsf',
    worthAndTags.gdsf,
    [
      ['store/greedy-dual.ts', 'node.frequency * node.density', 'node.frequency'],
      ['store/gdsf.ts', 'costs.of(entry) / entry.bytes', 'costs.of(entry)'],
      ['store/gdsf.ts', 'const known = cost ?? loadMs;', 'const known = loadMs;'],
      ['store/greedy-dual.ts', 'this.#inflation = victim.priority;', ''],
    ],
  ],
];

describe.each(guards)('%s', (_name, { does, run }, mutants) => {
  let library: Toolstash;
  beforeAll(async () => {
    library = await buildLibrary();
  });

  it(`${does}; without it comes the harm`, async () => {
    (await run(library, true))();
    (await run(library, false))();
  });

  // Each library leaves storage for asynchronous context behind, which slows down all that come after it.
  it.each(inForm({ short: mutants.slice(0, 1), long: mutants }))(
    '%s with `%s` changed to `%s` is noticed',
    async (file, from, to) => {
      const mutation: Mutation = { file, from, to };
      const verdict = await run(await buildLibrary(mutation), true);
      expect(verdict).toThrow();
    },
  );
});

describe('a mutant', () => {
  it.each(guards.flatMap(([, , mutants]) => mutants))(
    'of %s changes `%s`, which is there',
    async (file, from, to) => {
      expect(await mutatedSource({ file, from, to })).toContain(to);
    },
  );

  it('has to say what is there, exactly once', async () => {
    const mutate = (from: string) => buildLibrary({ file: 'guard/jitter.ts', from, to: '' });
    await expect(mutate('no such text')).rejects.toThrow('found it 0 times');
    await expect(mutate('ttlMs')).rejects.toThrow(/found it [1-9]\d* times/);
    const elsewhere = buildLibrary({ file: 'testing/fake-clock.ts', from: 'a', to: 'b' });
    await expect(elsewhere).rejects.toThrow('Expected src/index.ts to lead to src/testing/fake-clock.ts');
  });
});
