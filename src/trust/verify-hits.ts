/**
 * Shadow verification: some of the hits of pure tools are run again behind their callers' backs, to see whether the tools
 * still say what the cache does.
 */

import diagnosticsChannel from 'node:diagnostics_channel';
import { isDeepStrictEqual } from 'node:util';
import type { AnswerObserver, RepeatableHit } from '../answers.js';
import { notPromised } from '../at-once.js';
import { systemClock } from '../clock.js';
import { type Duration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import type { CacheManager } from '../index.js';
import { callListener } from '../listener.js';
import type { CacheCore } from '../manager/cache-context.js';
import {
  type Defined,
  expected,
  functionOf,
  integer,
  objectOf,
  refuseUnknown,
  shown,
} from '../option-checks.js';
import { isErrorByConvention } from '../tools/error-result.js';
import { ExcessTest } from './excess-test.js';
import { observedCore } from './observed.js';
import { wilsonInterval } from './wilson.js';

/** How the results of one tool are compared. */
export interface VerifiedTool {
  /**
   * Whether what the tool says now is what the cache has answered.
   * @default deep equality, as of `node:util`'s `isDeepStrictEqual`
   */
  equals?(cached: unknown, fresh: unknown): boolean;
}

/** The options of `verifyHits`. */
export interface VerifyOptions {
  /** The tools that are run again, by name: pure ones, whose second run does no harm. All others are left alone. */
  readonly tools: Readonly<Record<string, true | VerifiedTool>>;
  /** Which share of their hits, 0 to 1. @default 0.01 */
  readonly share?: number | undefined;
  /**
   * A tool is demoted once its share of mismatches is surely above this: from then on it is never answered from the cache,
   * as an 'opaque' one. One whose share is not above it is demoted with a probability of 5 % at most, however long it is
   * watched: it is judged by an exact binomial test after `leastComparisons`, and after twice as many each time, with the
   * 5 % split over all these looks. `null`: never.
   * @default 0.01
   */
  readonly mostMismatches?: number | null | undefined;
  /** After how many comparisons a tool is judged first. @default 20 */
  readonly leastComparisons?: number | undefined;
  /** How many runs of one tool at once. Hits that come meanwhile are not verified. @default 1 */
  readonly concurrency?: number | undefined;
  /** After this a run counts as an error, and its signal is aborted. It keeps its place until it settles. @default '1m' */
  readonly timeout?: Duration | undefined;
  /** Where random numbers in [0, 1) come from. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Called with each mismatch. */
  onMismatch?(mismatch: Mismatch): void;
  /**
   * Called once for a tool that is demoted, as is the channel `toolstash:demoted` of `node:diagnostics_channel`.
   * @default a process warning
   */
  onDemoted?(trust: ToolTrust): void;
}

/** What a tool says now, and what the cache has answered. */
export interface Mismatch {
  /** The tool's name. */
  readonly method: string;
  /** The key, 32 hex digits. */
  readonly key: string;
  /** What the cache has answered: a copy. */
  readonly cached: unknown;
  /** What the tool has said, as the cache would have stored it. */
  readonly fresh: unknown;
}

/** What is known of one tool's answers. */
export interface ToolTrust {
  /** The tool's name. */
  readonly method: string;
  /** Hits of which some were chosen. */
  readonly hits: number;
  /** Runs whose result could be compared. */
  readonly compared: number;
  /** Those that came to something else. */
  readonly mismatches: number;
  /** Runs that threw, took too long, came to an error or to what can't be stored. They are no mismatches. */
  readonly errors: number;
  /**
   * Chosen hits that were not compared: others were under way, the result was another call's, or the value was deleted,
   * invalidated, replaced or stale by then.
   */
  readonly skipped: number;
  /** `mismatches` of `compared`, 0 to 1; `NaN` for none of none. */
  readonly rate: number;
  /** Wilson's 95 % confidence interval of `rate`. */
  readonly interval: readonly [low: number, high: number];
  /** Whether it is never answered from the cache any more. */
  readonly isDemoted: boolean;
}

/** A verification that goes on. */
export interface Verification {
  /** What is known of the tools so far, in the order of `tools`. */
  stats(): ToolTrust[];
  /** Verifies no more hits. What was demoted remains so. */
  stop(): void;
}

const names = [
  ...['tools', 'share', 'mostMismatches', 'leastComparisons', 'concurrency', 'timeout', 'random'],
  ...['onMismatch', 'onDemoted'],
];
const demotions = diagnosticsChannel.channel('toolstash:demoted');

/**
 * Runs a share of the hits of pure tools again in the background and compares the results. No caller waits for it or is
 * told of its failures, and nothing of it holds the process but what the tools themselves do. For `getOrSet`, wrapped
 * functions that return promises, tools, and pure tools of rollouts.
 * @throws InvalidArgumentError, InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const verification = verifyHits(cache, { tools: { search: true }, share: 0.02 });
 * const [{ rate, interval }] = verification.stats();
 */
export function verifyHits(cache: CacheManager, options: VerifyOptions): Verification {
  const core = observedCore(cache, 'verifyHits(cache, options)');
  const verifier = new Verifier(core, resolved(options));
  const stop = core.observe(verifier);
  core.verifications.push(() => verifier.stats());
  return { stats: () => verifier.stats(), stop };
}

type Resolved = Required<Defined<Omit<VerifyOptions, 'timeout' | 'tools' | 'onMismatch' | 'onDemoted'>>> &
  Pick<VerifyOptions, 'onMismatch' | 'onDemoted'> & {
    readonly timeoutMs: number;
    readonly tools: readonly (readonly [name: string, equals: NonNullable<VerifiedTool['equals']>])[];
  };

function resolved(options: VerifyOptions): Resolved {
  objectOf(options, 'options', 'an object, as `{ tools: { search: true } }`');
  refuseUnknown(options, names, { of: '`verifyHits`' });
  const { tools, share = 0.01, mostMismatches = 0.01, leastComparisons = 20, concurrency = 1 } = options;
  const { timeout = '1m', random = Math.random, onMismatch, onDemoted } = options;
  objectOf(tools, 'tools', 'an object of pure tools by name, as `{ search: true }`');
  const entries = Object.entries(tools).map(([name, tool]) => [name, equalsOf(name, tool)] as const);
  if (entries.length === 0) throw new InvalidOptionError('Expected `tools` to name a pure tool, got none');
  return {
    tools: entries,
    share: shareOf(share, 'share'),
    mostMismatches: mostMismatches === null ? null : shareOf(mostMismatches, 'mostMismatches'),
    leastComparisons: integer(leastComparisons, 'leastComparisons', {}),
    concurrency: integer(concurrency, 'concurrency', {}),
    timeoutMs: positiveDuration(timeout, 'timeout'),
    random: functionOf(random, 'random'),
    ...(onMismatch && { onMismatch: functionOf(onMismatch, 'onMismatch') }),
    ...(onDemoted && { onDemoted: functionOf(onDemoted, 'onDemoted') }),
  };
}

function equalsOf(name: string, tool: unknown): NonNullable<VerifiedTool['equals']> {
  if (tool === true) return isDeepStrictEqual;
  const path = `tools.${name}`;
  if (typeof tool !== 'object' || tool === null) throw expected(path, 'true or `{ equals }`', tool);
  refuseUnknown(tool, ['equals'], { of: `\`${path}\``, noun: 'field' });
  const { equals } = tool as VerifiedTool;
  return equals === undefined ? isDeepStrictEqual : functionOf(equals, `${path}.equals`);
}

function shareOf(value: unknown, path: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new InvalidOptionError(`Expected \`${path}\` to be a share from 0 to 1, got ${shown(value)}`);
}

/** One tool, and what was counted of it. */
class VerifiedMethod {
  readonly name: string;
  readonly equals: NonNullable<VerifiedTool['equals']>;
  readonly counts = { hits: 0, compared: 0, mismatches: 0, errors: 0, skipped: 0 };
  /** Whether its mismatches are more than a bound, where there is one. */
  readonly excess: ExcessTest | undefined;
  running = 0;
  isDemoted = false;

  constructor(
    [name, equals]: Resolved['tools'][number],
    { mostMismatches, leastComparisons }: Pick<Resolved, 'mostMismatches' | 'leastComparisons'>,
  ) {
    this.name = name;
    this.equals = equals;
    if (mostMismatches !== null) this.excess = new ExcessTest(mostMismatches, leastComparisons);
  }

  get trust(): ToolTrust {
    const { compared, mismatches } = this.counts;
    const interval = wilsonInterval(mismatches, compared);
    return {
      ...{ method: this.name, ...this.counts, rate: mismatches / compared, interval },
      isDemoted: this.isDemoted,
    };
  }
}

class Verifier implements AnswerObserver {
  readonly #core: CacheCore;
  readonly #options: Resolved;
  readonly #methods: ReadonlyMap<string, VerifiedMethod>;

  constructor(core: CacheCore, options: Resolved) {
    this.#core = core;
    this.#options = options;
    this.#methods = new Map(options.tools.map((tool) => [tool[0], new VerifiedMethod(tool, options)]));
  }

  stats(): ToolTrust[] {
    return Array.from(this.#methods.values(), ({ trust }) => trust);
  }

  judges(method: string): boolean {
    const equals = this.#methods.get(method)?.equals;
    return equals !== undefined && equals !== isDeepStrictEqual;
  }

  hit(hit: RepeatableHit): void {
    const method = this.#methods.get(hit.method);
    if (method === undefined) return;
    const { counts } = method;
    counts.hits += 1;
    if (!this.#isChosen()) return;
    if (method.running >= this.#options.concurrency) {
      counts.skipped += 1;
      return;
    }
    let run: ReturnType<RepeatableHit['prepare']>;
    try {
      run = hit.prepare();
    } catch {
      counts.errors += 1;
      return;
    }
    method.running += 1;
    // Once its caller has the answer; a process that ends meanwhile does not wait for it.
    setImmediate(() => void this.#verify(method, hit, run)).unref();
  }

  #isChosen(): boolean {
    try {
      return this.#options.random() < this.#options.share;
    } catch {
      return false;
    }
  }

  /** Never rejects. */
  async #verify(
    method: VerifiedMethod,
    hit: RepeatableHit,
    run: ReturnType<RepeatableHit['prepare']>,
  ): Promise<void> {
    const { counts } = method;
    if (!isCurrent(hit)) {
      counts.skipped += 1;
      method.running -= 1;
      return;
    }
    const controller = new AbortController();
    let isOver = false;
    let isWithheld = false;
    const failed = () => {
      if (!isOver) counts.errors += 1;
      isOver = true;
    };
    const timer = systemClock.schedule(() => {
      failed();
      controller.abort(new Error('The run of a verified hit took too long'));
    }, this.#options.timeoutMs);
    const withhold = () => {
      isWithheld = true;
    };
    try {
      const result = await run({ signal: controller.signal, withhold });
      if (isOver) return;
      if (isWithheld || !isCurrent(hit)) counts.skipped += 1;
      else if (this.#isError(method.name, result)) failed();
      else this.#compare(method, hit, result);
    } catch {
      if (isWithheld && !isOver) counts.skipped += 1;
      else failed();
    } finally {
      timer.cancel();
      method.running -= 1;
    }
  }

  #isError(name: string, result: unknown): boolean {
    const { isError } = this.#core.methodOptions(name);
    return isErrorByConvention(result) || isError?.(result) === true;
  }

  /** Throws where the results can't be compared. */
  #compare(method: VerifiedMethod, hit: RepeatableHit, result: unknown): void {
    const { counts, name, equals } = method;
    const [cached, fresh] = [hit.value(), hit.asStored(result)];
    const isEqual = notPromised(equals(cached, fresh), `tools.${name}.equals`);
    counts.compared += 1;
    this.#core.ages?.verified(hit, isEqual);
    if (!isEqual) {
      counts.mismatches += 1;
      callListener('`onMismatch`', this.#options.onMismatch, { method: name, key: hit.key, cached, fresh });
    }
    this.#demoteIfNeeded(method);
  }

  #demoteIfNeeded(method: VerifiedMethod): void {
    const { onDemoted } = this.#options;
    const { compared, mismatches } = method.counts;
    if (method.isDemoted || method.excess?.isSure(mismatches, compared) !== true) return;
    method.isDemoted = true;
    this.#core.distrust(method.name);
    if (demotions.hasSubscribers) demotions.publish(method.trust);
    callListener('`onDemoted`', onDemoted ?? warnOfDemotion, method.trust);
  }
}

/** Whether its entry still answers. A store that fails has none. */
function isCurrent(hit: RepeatableHit): boolean {
  try {
    return hit.isCurrent();
  } catch {
    return false;
  }
}

function warnOfDemotion({ method, mismatches, compared }: ToolTrust): void {
  process.emitWarning(
    `\`${method}\` said something else than the cache in ${mismatches} of ${compared} runs: it is not answered from the cache ` +
      'any more. Give it a shorter `ttl`, or declare it as what it is',
    { type: 'ToolstashWarning', code: 'TOOLSTASH_DEMOTED_TOOL' },
  );
}
