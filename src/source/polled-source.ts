/** A list that is asked for now and then: a spreadsheet, a feed, a directory. */

import type { Clock } from '../clock.js';
import { type Duration, parseDuration, positiveDuration } from '../duration.js';
import { CacheError } from '../errors.js';
import { resolveClock } from '../implementations.js';
import type { CacheManager, LoadOptions } from '../index.js';
import { functionOf, hasMethods, integer, objectOf, refuseUnknown, shown, text } from '../option-checks.js';
import { orNone } from './or-none.js';

/** How a source is asked. */
export interface PolledSourceOptions<Row> {
  /** Where its rows are cached. */
  readonly cache: CacheManager;
  /** The method that they are cached under: one for each source. */
  readonly method: string;
  /** Asks the source. An outage rejects; a list without rows is an answer. */
  readonly poll: (signal: AbortSignal) => Promise<readonly Row[]>;
  /**
   * How long an answer is taken for current.
   * @default '1m'
   */
  readonly ttl?: Duration | undefined;
  /**
   * How long the last answer stands in during an outage.
   * @default '1d'
   */
  readonly keepFor?: Duration | undefined;
  /**
   * How long after a failure the source is left alone.
   * @default '5s'
   */
  readonly retryAfter?: Duration | undefined;
  /**
   * How long the source may take.
   * @default '30s'
   */
  readonly timeout?: Duration | undefined;
  /**
   * The most rows. More are an outage: a source that went wild must not fill the memory.
   * @default 100000
   */
  readonly maxRows?: number | undefined;
  /**
   * Where time comes from.
   * @default the system's clock
   */
  readonly clock?: Clock | undefined;
}

/** What a source says, or said last. */
export interface PolledRows<Row> {
  /** The rows; none is an answer, too. */
  readonly rows: readonly Row[];
  /** When the source gave them, epoch ms. */
  readonly polledAt: number;
  /** Why they are old: the source's failure. `undefined`: they are current. */
  readonly outage: unknown;
}

/** A source that is asked now and then. */
export interface PolledSource<Row> {
  /** The rows, current or the last there were. Rejects with the source's own error where there are none. */
  read(): Promise<PolledRows<Row>>;
  /** Has the source asked at the next read. */
  invalidate(): Promise<void>;
}

interface Polled<Row> {
  readonly rows: readonly Row[];
  readonly polledAt: number;
  /** When it was asked, epoch ms: who was asked later knows better, whoever answers first. */
  readonly askedAt: number;
}

const names = ['cache', 'method', 'poll', 'ttl', 'keepFor', 'retryAfter', 'timeout', 'maxRows', 'clock'];

/**
 * Reads a list through a cache: asked once for many readers, at most once per `ttl`, bounded, and an outage is told apart
 * from an empty answer.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const prices = polledSource({ cache, method: 'prices', poll: () => sheet.rows() });
 * const { rows, outage } = await prices.read();
 */
export function polledSource<Row>(options: PolledSourceOptions<Row>): PolledSource<Row> {
  refuseUnknown(objectOf(options, 'polledSource', 'an object as `{ cache, method, poll }`'), names, {
    of: 'polledSource',
  });
  const {
    cache,
    ttl = '1m',
    keepFor = '1d',
    retryAfter = '5s',
    timeout = '30s',
    maxRows = 100_000,
  } = options;
  hasMethods(cache, 'cache', ['getOrSet', 'lookup', 'set', 'delete']);
  const clock = resolveClock(options.clock);
  const method = text(options.method, 'method');
  const poll = functionOf(options.poll, 'poll');
  const most = integer(maxRows, 'maxRows');
  const retryMs = parseDuration(retryAfter, 'retryAfter');
  const lasting = { jitter: 0, sliding: false, staleWhileRevalidate: 0 };
  const kept = { ttl: positiveDuration(keepFor, 'keepFor'), ...lasting };
  /** The poll that took too long last, and until when the source is left alone for that. */
  let silence = { error: {} as unknown, until: Number.NEGATIVE_INFINITY };
  const current = {
    ...{ ttl: positiveDuration(ttl, 'ttl'), hardTimeout: positiveDuration(timeout, 'timeout') },
    ...{ staleIfError: 0, staleWhileRevalidate: 0, refreshAhead: false as const, sliding: false },
    ...{ jitter: 0, negativeTtl: false as const, isError: false as const },
    cacheErrors: (error) =>
      error === silence.error ? Math.max(0, silence.until - clock.elapsed()) : retryMs,
  } satisfies LoadOptions;
  let begun = 0;
  let newest = 0;

  const ask = async (signal: AbortSignal): Promise<Polled<Row>> => {
    // What takes too long has no error of its own, which the cache would remember.
    if (clock.elapsed() < silence.until) throw silence.error;
    const [turn, askedAt] = [++begun, clock.now()];
    signal.addEventListener('abort', () => {
      const error = signal.reason as CacheError | undefined;
      // Of a source that has been asked since it says nothing.
      if (error?.code === 'ERR_LOADER_TIMEOUT' && turn === begun)
        silence = { error, until: clock.elapsed() + retryMs };
    });
    const rows = await poll(signal);
    if (!Array.isArray(rows)) {
      throw new CacheError(
        'ERR_INVALID_ARGUMENT',
        `Expected \`poll\` of \`${method}\` to give a list, got ${shown(rows)}`,
      );
    }
    if (rows.length > most) {
      throw new CacheError(
        'ERR_INVALID_ARGUMENT',
        `\`${method}\` gave ${rows.length} rows, more than \`maxRows\`: ${most}`,
      );
    }
    const polled = { rows, polledAt: clock.now(), askedAt };
    // What came after its time must not stand before what a later poll has found.
    if (!signal.aborted) await orNone(() => keep(turn, polled));
    return polled;
  };
  const lastAnswer = () => orNone(() => cache.lookup<Polled<Row>>(`${method}:last`, null));
  /** Apart from what is current, so that it outlives that. */
  const keep = async (turn: number, polled: Polled<Row>): Promise<void> => {
    const last = await lastAnswer();
    const lastAskedAt = last !== undefined && 'value' in last ? last.value.askedAt : 0;
    // Another process may have asked later; nobody has after now, but by a clock that was set back since.
    const isOlder = lastAskedAt > polled.askedAt && lastAskedAt <= clock.now();
    if (turn < newest || isOlder) return;
    newest = turn;
    await cache.set(`${method}:last`, null, polled, kept);
  };
  return {
    async read() {
      try {
        const found = await cache.getOrSet<Polled<Row> | undefined>(
          method,
          null,
          ({ signal }) => ask(signal),
          current,
        );
        // As `knownKeys` of the cache may have it.
        const { rows, polledAt } = found ?? (await ask(new AbortController().signal));
        return { rows, polledAt, outage: undefined };
      } catch (outage) {
        const last = await lastAnswer();
        if (last === undefined || !('value' in last)) throw outage;
        const { rows, polledAt } = last.value;
        return { rows, polledAt, outage: outage === undefined ? noReason(method) : outage };
      }
    },
    async invalidate() {
      silence.until = Number.NEGATIVE_INFINITY;
      await cache.delete(method, null);
    },
  };
}

function noReason(method: string): CacheError {
  return new CacheError(
    'ERR_INVALID_ARGUMENT',
    `Expected \`poll\` of \`${method}\` to reject with an error, got \`undefined\``,
  );
}
