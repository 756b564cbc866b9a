/** Whether the ttls of tools are right, by how long their answers really stay equal. */

import { InvalidOptionError } from '../errors.js';
import type { CacheManager } from '../index.js';
import type { Wording } from '../manager/cache-context.js';
import { objectOf, refuseUnknown, shown } from '../option-checks.js';
import { AnswerAges, type MethodAges } from './answer-ages.js';
import { observedCore } from './observed.js';
import type { SurvivalPoint } from './survival.js';
import { wilsonInterval } from './wilson.js';

/** The options of `adviseTtl`. */
export interface TtlAdviceOptions {
  /** Which share of answers may have changed by the end of their ttl, above 0 and below 1. @default 0.05 */
  readonly mostChanged?: number | undefined;
}

/** The share of answers that have changed by an age. */
export interface ChangedAnswers {
  /** The age, in ms. */
  readonly ageMs: number;
  /** The estimate, 0 to 1. */
  readonly share: number;
  /** Wilson's 95 % confidence interval. */
  readonly interval: readonly [low: number, high: number];
  /** Of how many answers it is known whether they had changed by then: the sample size. */
  readonly known: number;
}

/** What is known of one tool's ttl. */
export interface TtlAdvice {
  /** The tool's name. */
  readonly method: string;
  /** The ttl its values have, in ms, on average where they differ a little; `null` for ever, `undefined` where they differ much. */
  readonly ttl: number | null | undefined;
  /** What to do with it; `'unknown'` while of fewer than 20 answers it is known whether they had changed by `now`, or by `then`. */
  readonly verdict: 'longer' | 'shorter' | 'right' | 'unknown';
  /** The ttl to take, in ms; `undefined` unless another one is better. */
  readonly suggested: number | undefined;
  /** By the end of the present ttl, of an endless one by the greatest age of which enough is known; `undefined` where nothing is known. */
  readonly now: ChangedAnswers | undefined;
  /** By the end of the ttl that is suggested: what it would risk. */
  readonly then: ChangedAnswers | undefined;
  /** Renewals after expiry that were seen, and those of them that the suggested ttl would have spared. */
  readonly renewals: number;
  /** What a longer ttl would save. */
  readonly spared: number;
  /** Answers of which more is known than that they were loaded. */
  readonly answers: number;
  /** The survival curve; the same array until more is known. */
  readonly curve: readonly SurvivalPoint[];
}

/** An adviser at work. */
export interface TtlAdviser {
  /** What is known of the tools so far. */
  advice(): TtlAdvice[];
  /** Learns nothing more, and says nothing more in reports. `advice()` still tells what was learnt. */
  stop(): void;
}

/**
 * Learns how long the answers of tools stay equal, from loads of what has expired and from hits that `verifyHits` runs again,
 * and tells whether each ttl could be longer, should be shorter, or is right. `cache.report()` has a line for each tool. Hits do
 * nothing for it; of each load the result's hash is kept, for some 1,000 keys of each tool.
 * @throws InvalidArgumentError, InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const adviser = adviseTtl(cache);
 * const [{ method, verdict, suggested }] = adviser.advice();
 */
export function adviseTtl(cache: CacheManager, options: TtlAdviceOptions = {}): TtlAdviser {
  const core = observedCore(cache, 'adviseTtl(cache)');
  refuseUnknown(objectOf(options, 'options'), ['mostChanged'], { of: '`adviseTtl`' });
  const { mostChanged = 0.05 } = options;
  if (!(typeof mostChanged === 'number' && mostChanged > 0 && mostChanged < 1))
    throw new InvalidOptionError(
      `Expected \`mostChanged\` to be a share above 0 and below 1, got ${shown(mostChanged)}`,
    );
  if (core.ages !== undefined)
    throw new InvalidOptionError(
      'The ttls of this cache are watched already: call `stop()` of what does first',
    );
  const ages = new AnswerAges(core);
  const advice = () => Array.from(ages.methods, ([method, own]) => adviceOn(method, own, mostChanged));
  const remarks = (say: Wording) =>
    advice().flatMap((each) => {
      const meanLoadMs = core.knownState(each.method)?.counters.loadTimes.meanMs ?? 0;
      return sentenceOn(each, { mostChanged, meanLoadMs }, say);
    });
  core.remarks.add(remarks);
  const stopLearning = ages.start();
  const stop = () => {
    stopLearning();
    core.remarks.delete(remarks);
  };
  return { advice, stop };
}

/** Answers of which it must be known whether they had changed, by the end of the present ttl and of the one that is suggested. */
const leastKnown = 20;

function adviceOn(method: string, ages: MethodAges, most: number): TtlAdvice {
  const curve = ages.survival.curve();
  const ttl = ttlOf(ages.ttls);
  const changed = curve.map(changedAt);
  const now = ttl === undefined ? undefined : ttl === null ? oldest(changed) : near(changed, ttl);
  const advise = (verdict: TtlAdvice['verdict'], then?: ChangedAnswers, spared = 0): TtlAdvice => ({
    ...{ method, ttl, verdict, suggested: then?.ageMs, now, then, spared, curve },
    renewals: ages.renewals.length,
    answers: ages.survival.count,
  });
  if (now === undefined || !isKnown(now)) return advise('unknown');
  if (isTooLong(now, most)) {
    const then = changed.findLast((each) => each.ageMs < now.ageMs && each.share <= most && isKnown(each));
    return advise(then === undefined ? 'unknown' : 'shorter', then);
  }
  const then =
    typeof ttl === 'number'
      ? changed.findLast((each) => each.ageMs >= 2 * ttl && each.interval[1] <= most && isKnown(each))
      : undefined;
  if (then === undefined) return advise(now.interval[1] <= 2 * most ? 'right' : 'unknown');
  return advise('longer', then, ages.renewals.filter(({ afterMs }) => afterMs < then.ageMs).length);
}

function isKnown({ known }: ChangedAnswers): boolean {
  return known >= leastKnown;
}

function isTooLong({ interval }: ChangedAnswers, most: number): boolean {
  return interval[0] > most;
}

function ttlOf({ sumMs, finite, endless, least, most }: MethodAges['ttls']): number | null | undefined {
  if (finite === 0) return endless === 0 ? undefined : null;
  return endless > 0 || most > 4 * least ? undefined : sumMs / finite;
}

function changedAt({ ageMs, unchanged, known }: SurvivalPoint): ChangedAnswers {
  const share = 1 - unchanged;
  return { ageMs, share, interval: wilsonInterval(share * known, known), known };
}

/** The last of which enough is known. */
function oldest(changed: readonly ChangedAnswers[]): ChangedAnswers | undefined {
  return changed.findLast(isKnown) ?? changed.at(-1);
}

/** What is best known of the points that are as good as at an age: cells are a fifth wide. `undefined` where nothing is known. */
function near(changed: readonly ChangedAnswers[], ageMs: number): ChangedAnswers | undefined {
  return changed
    .filter((each) => each.ageMs >= ageMs / 1.2 && each.ageMs <= ageMs * 1.2)
    .reduce<ChangedAnswers | undefined>(
      (best, each) => (best !== undefined && best.known >= each.known ? best : each),
      undefined,
    );
}

/** A line of the report; none where nothing was seen. */
function sentenceOn(
  { method, ttl, verdict, now, then, spared, renewals, answers }: TtlAdvice,
  { mostChanged, meanLoadMs }: { readonly mostChanged: number; readonly meanLoadMs: number },
  say: Wording,
): string[] {
  const { formatCount, formatDuration, plural, printable } = say;
  if (answers === 0) return [];
  const name = printable(method);
  const present = ttl === undefined ? 'its ttls' : ttl === null ? 'no ttl' : `ttl ${formatDuration(ttl)}`;
  if (now === undefined || (verdict === 'unknown' && !(isKnown(now) && isTooLong(now, mostChanged))))
    return [`${name}: ${present}, ${plural(answers, 'answer')} say too little of it so far`];
  if (verdict === 'right') return [`${name}: ${present} is right: ${told(now, say)}`];
  if (then === undefined)
    return [`${name}: ${present} is too long, and too little is known of shorter ones: ${told(now, say)}`];
  const other = formatDuration(then.ageMs);
  if (verdict === 'longer') {
    const saved = `${formatCount(spared)} of ${plural(renewals, 'renewal')} (${formatDuration(spared * meanLoadMs)})`;
    return [
      `${name}: ${present} could be ${other}, which would have spared ${saved}: ${told(then, say)}, ${toldBriefly(now, say)}`,
    ];
  }
  const most =
    typeof ttl === 'number' ? `, for at most ${Math.ceil(ttl / then.ageMs)} times as many loads` : '';
  return [
    `${name}: ${present} should be about ${other}${most}: ${told(now, say)}, ${toldBriefly(then, say)}`,
  ];
}

function told({ ageMs, share, interval: [low, high], known }: ChangedAnswers, say: Wording): string {
  const range = `95 % CI ${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %`;
  const after = say.formatDuration(ageMs);
  return `${percent(share, say)} of ${say.plural(known, 'answer')} had changed after ${after} (${range})`;
}

function toldBriefly({ ageMs, share, known }: ChangedAnswers, say: Wording): string {
  return `some ${percent(share, say)} after ${say.formatDuration(ageMs)} (${say.formatCount(known)} known)`;
}

function percent(share: number, { formatShare }: Wording): string {
  return formatShare(Math.round(share * 1000), 1000);
}
