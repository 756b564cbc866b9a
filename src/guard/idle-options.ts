/**
 * Options that do nothing: refused where the missing other can be named at once, else a process warning once use shows
 * it.
 */

import type { Duration } from '../duration.js';
import { bareName, editDistance } from '../near-name.js';
import { missing } from '../option-checks.js';
import type { GuardOptions } from './guard-options.js';
import type { ResolvedGuardOptions } from './resolved-guard-options.js';

/**
 * Refuses options of a method or a call that do nothing because another is missing.
 * @throws InvalidOptionError naming both
 */
export function refuseIdleOptions(own: GuardOptions, path: string, resolved: ResolvedGuardOptions): void {
  if (isOn(own.softTimeout) && resolved.staleIfError === 0) {
    const fix = 'say how long a stale value may stand in';
    throw missing(`\`${path}staleIfError\``, `${path}softTimeout`, fix);
  }
  if (isOn(own.maxAge) && !resolved.sliding) {
    const fix = '`ttl` bounds the age of what does not slide';
    throw missing(`\`${path}sliding: true\``, `${path}maxAge`, fix);
  }
}

/** The same of a whole cache, where methods may slide, and calls of those that don't. */
export function refuseIdleMaxAge(own: GuardOptions, methodsSlide: boolean): void {
  if (!isOn(own.maxAge) || own.sliding !== undefined || methodsSlide) return;
  const fix = '`ttl` bounds the age of what does not slide (`sliding: false` where only single calls slide)';
  throw missing('`sliding: true`', 'maxAge', fix);
}

function isOn(value: Duration | false | undefined): boolean {
  return value !== undefined && value !== false;
}

/** Caches that were warned of: once each. */
const warned = new WeakSet<object>();

/** Warns of a `softTimeout` of the cache that a method has no stale value for. */
export function warnOfIdleSoftTimeout(
  cache: object,
  method: string,
  { softTimeout, staleIfError, staleWhileRevalidate }: ResolvedGuardOptions,
): void {
  if (softTimeout === undefined || staleIfError > 0 || staleWhileRevalidate > 0 || warned.has(cache)) return;
  warned.add(cache);
  warn(
    `\`softTimeout\` does nothing for \`${method}\`: give it \`staleIfError\` too, which says how long a stale value ` +
      'may stand in for a slow load',
  );
}

/** Warns of options for a method that is not used, where the one that is used has nearly its name and no options. */
export function warnOfUnusedMethod(
  used: string,
  configured: ReadonlyMap<string, unknown>,
  isUsed: (method: string) => boolean,
): void {
  if (configured.size === 0 || configured.has(used)) return;
  for (const name of configured.keys()) {
    if (isUsed(name) || !isNearly(name, used)) continue;
    warn(
      `The options in \`methods\` for \`${name}\` do nothing for \`${used}\`: use the method's exact name`,
    );
    return;
  }
}

/** How many names a warning lists. */
const mostNamed = 5;

/**
 * Warns at the end of a cache whose `methods` were all idle: none of the names was used, and others were. Where some were
 * used, the rest may be tools that this run had no need of.
 */
export function warnOfIdleMethods(used: readonly string[], configured: ReadonlyMap<string, unknown>): void {
  if (configured.size === 0 || used.length === 0 || used.some((name) => configured.has(name))) return;
  const names = [...configured.keys()];
  // Told at the first use.
  if (names.some((name) => used.some((other) => isNearly(name, other)))) return;
  warn(
    `The options in \`methods\` for ${listed(names)} did nothing: the methods that were used are ${listed(used)}. Use a ` +
      "method's exact name",
  );
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostNamed).map((name) => `\`${name}\``);
  return names.length > mostNamed ? `${shown.join(', ')} and others` : shown.join(', ');
}

/** Whether one name is likely a slip of the other: its case or punctuation, a class before it, one letter. */
function isNearly(one: string, other: string): boolean {
  const [short, long] = [bareName(one), bareName(other)].sort((a, b) => a.length - b.length) as [
    string,
    string,
  ];
  if (short === long) return true;
  if (one.includes('.') !== other.includes('.') && lastPart(one) === lastPart(other)) return true;
  // Names that are numbered differ in a digit on purpose.
  return short.length >= 4 && !/\d/.test(short + long) && editDistance(short, long) === 1;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'ToolstashWarning' });
}

/** @throws InvalidOptionError for `coherence` where no machine shares anything */
export function refuseIdleCoherence({
  remote,
  methods = {},
  ...own
}: Pick<GuardOptions, 'coherence'> & {
  readonly remote?: unknown;
  readonly methods?: Readonly<Record<string, Pick<GuardOptions, 'coherence'>>> | undefined;
}): void {
  if (remote !== undefined) return;
  const refuse = (path: string, { coherence }: Pick<GuardOptions, 'coherence'>) => {
    if (coherence !== 'bounded' && coherence !== 'available') return;
    throw missing('`remote`', `${path}coherence`, 'it says what counts while machines are out of touch');
  };
  refuse('', own);
  for (const [name, each] of Object.entries(methods)) refuse(`methods.${name}.`, each);
}
