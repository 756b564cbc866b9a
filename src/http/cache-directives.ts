/** The directives of `Cache-Control`, read so that what is malformed allows less and never more. */

/** Directives by name in lower case; `true` for one without an argument. */
export type Directives = ReadonlyMap<string, string | true>;

/** Arguments in seconds; of several ones that disagree the smallest counts. */
const seconds = new Set([
  ...['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'],
  ...['min-fresh', 'max-stale'],
]);
/** Any later moment is as good as never. */
const mostSeconds = 2 ** 31;
const directive = /([^\s=,;"]+)[^\S\n]*(?:=[^\S\n]*("(?:[^"\\]|\\.)*"?|[^,]*))?/g;

/** Reads a header. Names are in lower case, quotes are off, what should be a number and is none is 0. */
export function parseDirectives(header: string | undefined): Directives {
  const found = new Map<string, string | true>();
  if (header === undefined) return found;
  for (const [, given = '', argument] of header.matchAll(directive)) {
    const name = given.toLowerCase();
    if (!seconds.has(name)) {
      found.set(name, argument === undefined ? true : unquoted(argument));
      continue;
    }
    // `max-stale` alone: however stale.
    if (argument === undefined && name === 'max-stale') {
      if (!found.has(name)) found.set(name, true);
      continue;
    }
    const amount = secondsIn(argument);
    const before = found.get(name);
    found.set(name, String(typeof before === 'string' ? Math.min(Number(before), amount) : amount));
  }
  return found;
}

/** The seconds that a directive gives; `undefined` without it. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined || value === true ? undefined : Number(value);
}

/** A header that says the same in a form that no reader can misread: no quotes, no lists of fields. */
export function plainDirectives(directives: Directives): string {
  return Array.from(directives, ([name, value]) =>
    value === true || !seconds.has(name) ? name : `${name}=${value}`,
  ).join(', ');
}

function secondsIn(argument: string | undefined): number {
  const text = argument === undefined ? '' : unquoted(argument);
  return /^\d+$/.test(text) ? Math.min(Number(text), mostSeconds) : 0;
}

function unquoted(argument: string): string {
  const text = argument.trim();
  return text.startsWith('"') ? text.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1') : text;
}
