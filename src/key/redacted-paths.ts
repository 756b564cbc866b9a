/** Paths to arguments that are kept nowhere: secrets. */

import { type IgnoredPath, segmentsOf } from './ignored-path.js';

/** What is left of each path below one object or list. A `*` stands for any one key, `**` for any number of them. */
export type RedactedPaths = readonly (readonly string[])[];

/** All paths, or `undefined` when there are none. Names count whatever their case, as those of HTTP headers do. */
export function redactedPaths(paths: readonly IgnoredPath[]): RedactedPaths | undefined {
  if (paths.length === 0) return undefined;
  return paths.map((path) => segmentsOf(path).map((segment) => segment.toLowerCase()));
}

/** What is redacted below a member: `true` is the member itself, `undefined` nothing. */
export function redactedBelow(
  paths: RedactedPaths | undefined,
  key: string,
): RedactedPaths | true | undefined {
  if (paths === undefined) return undefined;
  const name = key.toLowerCase();
  const below: (readonly string[])[] = [];
  for (const path of paths) if (follow(path, name, below)) return true;
  return below.length === 0 ? undefined : below;
}

/** Puts what is left of a path behind a member into `below`; whether it leads to that member. */
function follow(path: readonly string[], name: string, below: (readonly string[])[]): boolean {
  const [first, ...rest] = path;
  if (first === '**') {
    below.push(path);
    // It may stand for none.
    return rest.length === 0 || follow(rest, name, below);
  }
  if (first !== '*' && first !== name) return false;
  if (rest.every((segment) => segment === '**')) return true;
  below.push(rest);
  return false;
}
