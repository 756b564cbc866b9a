/** A list that is asked for now and then: a spreadsheet, a feed, a directory. */

import { type Clock, systemClock } from '../clock.js';
import { type Duration, parseDuration, positiveDuration } from '../duration.js';
import { CacheError } from '../errors.js';
import type { CacheManager, LoadOptions } from '../index.js';
import { functionOf, hasMethods, integer, objectOf, refuseUnknown, shown, text } from '../option-checks.js';

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
    clock = systemClock,
  } = options;
  hasMethods(cache, 'cache', ['getOrSet', 'lookup', 'set', 'delete']);
  const method = text(options.method, 'method');
  const poll = functionOf(options.poll, 'poll');
  const most = integer(maxRows, 'maxRows');
  const retryMs = parseDuration(retryAfter, 'retryAfter');
  const kept = { ttl: positiveDuration(keepFor, 'keepFor'), jitter: 0 };
  const current = {
    ...{ ttl: positiveDuration(ttl, 'ttl'), hardTimeout: positiveDuration(timeout, 'timeout') },
    ...{ staleIfError: 0, staleWhileRevalidate: 0, negativeTtl: false as const, cacheErrors: () => retryMs },
  } satisfies LoadOptions;

  const ask = async (signal: AbortSignal): Promise<Polled<Row>> => {
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
    const polled = { rows, polledAt: clock.now() };
    // What came after its time must not stand before what a later poll has found.
    if (signal.aborted) return polled;
    // Apart from what is current, so that it outlives that.
    await cache.set(`${method}:last`, null, polled, kept);
    return polled;
  };
  return {
    async read() {
      try {
        const polled = await cache.getOrSet(method, null, ({ signal }) => ask(signal), current);
        return { ...polled, outage: undefined };
      } catch (outage) {
        const last = await cache.lookup<Polled<Row>>(`${method}:last`, null);
        if (!('value' in last)) throw outage;
        return { ...last.value, outage };
      }
    },
    async invalidate() {
      await cache.delete(method, null);
    },
  };
}
