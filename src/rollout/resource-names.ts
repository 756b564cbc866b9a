/** The names of what a call reads and writes. */

import type { ResourceTemplate } from '../tools/resource.js';

/** All that a call reads or writes, each once; `undefined` where that can't be told. */
export function touchedNames(
  { reads, writes }: Readonly<Record<'reads' | 'writes', readonly ResourceTemplate[]>>,
  input: unknown,
): string[] | undefined {
  const names = namesFor([...reads, ...writes], input);
  return names && [...new Set(names)];
}

/** The resources of a call; `undefined` where they can't be told. */
export function namesFor(templates: readonly ResourceTemplate[], input: unknown): string[] | undefined {
  const names: string[] = [];
  for (const template of templates) {
    const name = template.nameFor(input);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names;
}
