/**
 * How far one call's arguments are from another's: the mean of the distances of their leaves, as in Gower, "A general
 * coefficient of similarity and some of its properties", Biometrics 27(4), 1971. Texts of several words differ by the
 * share of words that they have not in common: Dice, "Measures of the amount of ecologic association between species",
 * Ecology 26(3), 1945.
 */

import { canonicalJson } from '../key/canonical-json.js';
import { isOrdinaryArray, isPlain } from '../key/tagged-form.js';

/** What arguments consist of: each leaf's text by its path. A string's begins with a quote, as no other does. */
export type Leaves = ReadonlyMap<string, string>;

/** What lies deeper is one leaf. */
const mostLevels = 32;

/** The leaves of params: members of plain objects and lists that are neither, or are empty. */
export function leavesOf(params: unknown): Leaves {
  const leaves = new Map<string, string>();
  addLeaves(params, '', mostLevels, leaves);
  return leaves;
}

function addLeaves(value: unknown, path: string, levels: number, into: Map<string, string>): void {
  const members = levels === 0 ? [] : membersOf(value);
  if (members.length === 0) into.set(path, leafText(value));
  for (const [key, member] of members) addLeaves(member, pathTo(path, key), levels - 1, into);
}

function membersOf(value: unknown): readonly (readonly [key: string, member: unknown])[] {
  if (typeof value !== 'object' || value === null) return [];
  const hasMembers = Array.isArray(value) ? isOrdinaryArray(value) : isPlain(value);
  return hasMembers ? Object.entries(value) : [];
}

function leafText(value: unknown): string {
  if (typeof value === 'string') return `"${value}`;
  try {
    return canonicalJson(value);
  } catch {
    // It was made by a codec of the user's, and has no key here.
    return `@${typeof value}`;
  }
}

function pathTo(parent: string, key: string): string {
  if (!/^[^.\s[\]"]+$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/** A distance from 0 to 1, and the paths that make it. */
export interface ArgumentDistance {
  readonly distance: number;
  /** In the order of the first call's, then the second's. */
  readonly paths: readonly string[];
}

/** The distance of two calls, the same in both directions. */
export function distanceBetween(one: Leaves, other: Leaves): ArgumentDistance {
  const paths: string[] = [];
  let sum = 0;
  let count = one.size;
  for (const [path, leaf] of one) {
    const distance = leafDistance(leaf, other.get(path));
    if (distance > 0) paths.push(path);
    sum += distance;
  }
  for (const path of other.keys()) {
    if (one.has(path)) continue;
    paths.push(path);
    sum += 1;
    count += 1;
  }
  return { distance: count === 0 ? 0 : sum / count, paths };
}

function leafDistance(one: string, other: string | undefined): number {
  if (one === other) return 0;
  if (other === undefined || !one.startsWith('"') || !other.startsWith('"')) return 1;
  const [words, others] = [wordsIn(one), wordsIn(other)];
  // Of one word each they are names or ids: nearly the same is another.
  if (words.size < 2 && others.size < 2) return 1;
  let common = 0;
  for (const word of words) if (others.has(word)) common += 1;
  // The same words in another order, or with other marks, are still another text.
  return Math.max(1 - (2 * common) / (words.size + others.size), leastTextDistance);
}

const leastTextDistance = 0.01;

function wordsIn(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []);
}
