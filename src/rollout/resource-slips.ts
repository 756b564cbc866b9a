/** Resources that are likely one and the same to whoever declared them: what writes the one would leave answers from the other. */

import { bareName, editDistance } from '../near-name.js';
import type { ResolvedEffect } from '../tools/effect.js';
import { overlap, resourceOf } from '../tools/resource.js';

/** In shorter words one letter makes another word. */
const shortestWord = 4;
/** Declarations are often made anew for each rollout. */
const told = new Set<string>();

/** Warns once where a resource that nothing reads is written, or one that nothing writes read, under nearly another's name. */
export function warnOfSlips(effects: Iterable<ResolvedEffect>): void {
  const [reads, writes] = [new Set<string>(), new Set<string>()];
  for (const effect of effects) {
    if (effect.kind !== 'tracked') continue;
    // What a tool changes is part of what its answer depends on; it is never answered for, so it reads nothing here.
    for (const { text } of effect.writes.length === 0 ? effect.reads : []) reads.add(text);
    for (const { text } of effect.writes) writes.add(text);
  }
  for (const read of reads) {
    for (const written of writes) {
      const isApart = !touchesAny(written, reads) || !touchesAny(read, writes);
      if (isApart && isSlip(read, written)) warn(read, written);
    }
  }
}

function warn(read: string, written: string): void {
  const message =
    `The resource \`${written}\` is written, and \`${read}\` read, which are two by their names, so what was read stays after ` +
    `the write. If they are one, give them one name; if what reads \`${read}\` sees both, let it read both.`;
  if (told.has(message)) return;
  told.add(message);
  process.emitWarning(message, { type: 'ToolstashWarning', code: 'TOOLSTASH_RESOURCE_SLIP' });
}

function touchesAny(text: string, others: Iterable<string>): boolean {
  const one = anyOf(text);
  for (const other of others) if (overlap(one, anyOf(other))) return true;
  return false;
}

/** All that a template can name. */
const anyOf = (text: string) => resourceOf(text.toLowerCase().replace(/\{[^{}]*\}/g, '**'));

/** Whether the names differ in one letter of their first word, as one and many do, or in punctuation alone. */
function isSlip(one: string, other: string): boolean {
  const fixed = [one, other].map((text) => bareName(text.replace(/\{[^{}]*\}/g, ''))) as [string, string];
  if (fixed[0] === fixed[1]) return fixed[0] !== '';
  const words = [one, other].map((text) => bareName(/^[^:/{*]*/.exec(text)?.[0] ?? '')) as [string, string];
  return words.every((word) => word.length >= shortestWord) && editDistance(...words) === 1;
}
