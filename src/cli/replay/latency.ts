/** How long the calls of a replay take: as recorded, or drawn from a distribution. */

import { randomExponential, randomLogNormal, randomUniform } from 'd3-random';
import { UsageError } from '../usage-error.js';
import type { Random } from './random.js';
import { seededRandom } from './random.js';
import type { ToolCall } from './trace.js';

/** `recorded`, or a distribution's name and its parameters in ms. */
export interface LatencyModel {
  /** As the user wrote it. */
  readonly text: string;
  /** `null`: the recorded ones. */
  readonly distribution: Distribution | null;
}

/** Latencies of all calls of a trace, in its order. */
export interface Latencies {
  readonly ms: ReadonlyMap<ToolCall, number>;
  /** How many of them were recorded; the others were drawn. */
  readonly recorded: number;
  /** What the drawn ones were drawn from. */
  readonly drawnFrom: string;
}

/** Makes a source of draws in ms. */
type Distribution = (random: Random) => () => number;

/** The longest that a call may take: some 30 years. Sums of longer ones would lose all that is short, or overflow. */
export const longestMs = 1e12;

/** What calls take whose latency was not recorded: a median of 300 ms, one in twenty over 1.1 s. */
const unrecorded = 'lognormal:300,0.8';

const families: Record<string, { readonly usage: string; make(...numbers: number[]): Distribution | null }> =
  {
    lognormal: {
      usage: 'lognormal:<median ms>,<sigma>',
      make: (median = Number.NaN, sigma = Number.NaN) =>
        median > 0 && sigma >= 0 ? (random) => randomLogNormal.source(random)(Math.log(median), sigma) : null,
    },
    uniform: {
      usage: 'uniform:<from ms>,<to ms>',
      make: (from = Number.NaN, to = Number.NaN) =>
        from >= 0 && to >= from ? (random) => randomUniform.source(random)(from, to) : null,
    },
    exponential: {
      usage: 'exponential:<mean ms>',
      make: (mean = Number.NaN) => (mean > 0 ? (random) => randomExponential.source(random)(1 / mean) : null),
    },
    fixed: {
      usage: 'fixed:<ms>',
      make: (ms = Number.NaN) => (ms >= 0 ? () => () => ms : null),
    },
  };

/** The forms that `--latency` takes, for the help text. */
export const latencyUsage = ['recorded', ...Object.values(families).map(({ usage }) => usage)].join(' | ');

/** Reads what `--latency` was given. */
export function parseLatency(text: string): LatencyModel {
  if (text === 'recorded') return { text, distribution: null };
  const [family = '', parameters = ''] = text.split(':', 2);
  const numbers = parameters
    .split(',')
    .map((part) => (/^[\d.]+(e[+-]?\d+)?$/.test(part) ? Number(part) : Number.NaN));
  const known = Object.hasOwn(families, family) ? families[family] : undefined;
  const wanted = known?.usage.split(',').length;
  const distribution =
    wanted === numbers.length && numbers.every(Number.isFinite) ? known?.make(...numbers) : null;
  if (!distribution) {
    throw new UsageError(`Expected --latency to be ${latencyUsage}, got \`${text}\``);
  }
  return { text, distribution };
}

/**
 * The latency of each call. Draws go through the calls in the trace's order, so they don't depend on the order in
 * which a replay makes them.
 */
export function latenciesOf(calls: readonly ToolCall[], model: LatencyModel, seed: number): Latencies {
  const { text, distribution } = model.distribution === null ? parseLatency(unrecorded) : model;
  if (distribution === null) throw new TypeError('no distribution to draw from');
  const draw = distribution(seededRandom(seed, 1));
  const ms = new Map<ToolCall, number>();
  let recorded = 0;
  for (const call of calls) {
    if (model.distribution === null && call.durationMs !== null) {
      recorded += 1;
      ms.set(call, call.durationMs);
    } else {
      ms.set(call, Math.min(draw(), longestMs));
    }
  }
  return { ms, recorded, drawnFrom: text };
}
