/** What the benches feed to all contenders alike: seeded keys, arguments, results and orders. */

import { type Random, seededRandom, zipfRanks } from '../src/cli/replay/random.js';

export { type Random, seededRandom };

/** The argument of a tool call, with five fields, some of them nested. */
export interface SearchArgs {
  query: string;
  filters: { status: string; region: string; limit: number };
  sort: string[];
  page: number;
  customer: string;
}

/** What the tool answers. */
export interface SearchResult {
  total: number;
  rows: { id: number; title: string; score: number }[];
}

const words = ['refund', 'order', 'late', 'invoice', 'seat', 'change', 'flight', 'bag', 'café', 'status'];

/** Arguments as they reach a tool: read from JSON, in memory of their own. */
function asReceived<T>(args: T): T {
  return JSON.parse(JSON.stringify(args));
}

/** The small argument, a fresh object each time. Different numbers give different arguments. */
export function searchArgs(n: number): SearchArgs {
  return asReceived({
    query: `${words[n % 10]} ${words[(n >> 2) % 8]} ${n}`,
    filters: { status: n % 2 ? 'open' : 'closed', region: 'eu-west', limit: 10 + (n % 7) },
    sort: ['date', 'desc'],
    page: n % 5,
    customer: `c_${n}`,
  });
}

/** The same argument with its fields in another order. */
export function reorderedSearchArgs(n: number): SearchArgs {
  const { query, filters, sort, page, customer } = searchArgs(n);
  const { status, region, limit } = filters;
  return asReceived({ customer, page, sort, filters: { limit, region, status }, query });
}

/** The answer to `searchArgs(n)`: about 300 bytes of JSON. */
export function searchResult(n: number): SearchResult {
  const rows = [1, 2, 3, 4, 5].map((i) => ({ id: n * 10 + i, title: `Result ${n}.${i}`, score: i / 8 }));
  return { total: n, rows };
}

const line = '  total = total + rows[index].amount * rate(index)  # next\n';
const program = line.repeat(72).slice(0, 4096);

/** The small argument with a program of 4 KB in it. Different numbers give programs that differ all over. */
export function codeArgs(n: number): SearchArgs & { code: string } {
  return asReceived({ ...searchArgs(n), code: program.replaceAll('rate', `rate${n}`).slice(0, 4096) });
}

/** The same argument each time, but for one character of the program: 64 near-duplicates. */
export function nearDuplicateArgs(n: number): SearchArgs & { code: string } {
  const at = 64 * (n % 64) + 7;
  return asReceived({ ...searchArgs(0), code: `${program.slice(0, at)}#${program.slice(at + 1)}` });
}

/** A result of about so many bytes, as most tools answer: text in a shell. */
export function textResult(n: number, bytes: number): { content: { type: 'text'; text: string }[] } {
  const text = `${n} ${words[n % 10]} ${words[(n >> 2) % 8]}. `;
  return { content: [{ type: 'text', text: text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes) }] };
}

/** About 4 KB of arguments, as code tools get them: a program, some records, some flags. */
export function largeArgs(n: number): Record<string, unknown> {
  const line = `  total = total + rows[index].amount * rate("${n}")  # next\n`;
  const inputs = Array.from({ length: 16 }, (_, i) => ({
    id: n * 100 + i,
    name: `row ${i} of ${n}`,
    amount: i * 1.25,
    tags: ['a', 'b'],
    isActive: i % 3 === 0,
  }));
  return asReceived({ language: 'python', code: line.repeat(44), inputs, options: { timeout: 30, seed: n } });
}

/** The same with its outer fields in another order. */
export function reorderedLargeArgs(n: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(largeArgs(n)).reverse());
}

const keyBytes = Buffer.alloc(16);

/** A key of 32 hex digits as a new string, never hashed or compared before, as a lookup finds it. */
export function freshKey(n: number): string {
  keyBytes.writeInt32LE(Math.imul(n + 1, 0x9e3779b1), 0);
  keyBytes.writeInt32LE(Math.imul(n ^ 0x5bd1e995, 0x85ebca6b), 4);
  keyBytes.writeInt32LE(n, 8);
  keyBytes.writeInt32LE(Math.imul(n, 0xc2b2ae35) ^ (n >>> 15), 12);
  return keyBytes.toString('hex');
}

/** So many numbers below `limit`, all equally likely. */
export function uniformNumbers(count: number, limit: number, random: Random): Int32Array {
  return Int32Array.from({ length: count }, () => Math.floor(random() * limit));
}

/** Draws numbers below `limit` by Zipf's law, the popular ones strewn over the whole range. */
export function zipfNumbers(limit: number, random: Random): () => number {
  const draw = zipfRanks(limit, 0.9);
  const stride = strideFor(limit);
  return () => (draw(random) * stride) % limit;
}

/** A stride without a factor in common with `limit`, so that multiples of it reach every number below. */
function strideFor(limit: number): number {
  let stride = Math.floor(limit * 0.618) | 1;
  while (greatestCommonDivisor(stride, limit) !== 1) stride += 2;
  return stride;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The items in a random order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
