/** Paths to arguments that are left out of the key: a trace id, a deadline, an abort signal. */

import { InvalidArgumentError, InvalidOptionError } from '../errors.js';

/**
 * Where an argument is in the params: `'trace_id'`, `'meta.requestId'`, or its segments one by one for keys that
 * contain a dot, `['meta', 'request.id']`. A segment is an object's key or an array's index, counted before
 * anything is left out. A path that leads nowhere ignores nothing.
 */
export type IgnoredPath = string | readonly string[];

/** What to leave out below one object or array: `true` leaves the member itself out. */
export type IgnoredMembers = ReadonlyMap<string, IgnoredMembers | true>;

/** Deeper paths would be no argument's name, and the walk counts on a bound. */
const longestPath = 64;

/** All paths as one tree, or `undefined` when there are none. */
export function ignoredMembers(paths: readonly IgnoredPath[] | undefined): IgnoredMembers | undefined {
  if (paths === undefined) return undefined;
  if (!Array.isArray(paths)) {
    throw new InvalidArgumentError(
      `Expected \`ignore\` to be an array of paths, got \`${String(paths)}\`: put it in brackets`,
    );
  }
  const root = new Map<string, MutableMembers | true>();
  for (const path of paths) addPath(root, segmentsOf(path));
  return root.size === 0 ? undefined : root;
}

/** An option's paths, as they are. @throws InvalidOptionError naming the option at `path`, and the fix */
export function checkedPaths(value: readonly IgnoredPath[], path: string): readonly IgnoredPath[] {
  try {
    ignoredMembers(value);
  } catch (cause) {
    throw new InvalidOptionError(`Wrong \`${path}\`: ${(cause as Error).message}`, { cause });
  }
  return value;
}

type MutableMembers = Map<string, MutableMembers | true>;

function addPath(root: MutableMembers, segments: readonly string[]): void {
  let members = root;
  for (const segment of segments.slice(0, -1)) {
    let below = members.get(segment);
    if (below === true) return;
    if (below === undefined) {
      below = new Map();
      members.set(segment, below);
    }
    members = below;
  }
  members.set(segments.at(-1) as string, true);
}

/** The segments of a path. @throws InvalidArgumentError */
export function segmentsOf(path: IgnoredPath): readonly string[] {
  const segments: readonly unknown[] = typeof path === 'string' ? path.split('.') : path;
  const isValid =
    Array.isArray(segments) &&
    segments.length > 0 &&
    segments.length <= longestPath &&
    segments.every((segment) => typeof segment === 'string') &&
    (typeof path !== 'string' || !segments.includes(''));
  if (isValid) return segments as string[];
  throw new InvalidArgumentError(
    `Expected each path in \`ignore\` to be keys joined by dots, or an array of 1 to ${longestPath} keys, ` +
      `got \`${JSON.stringify(path) ?? String(path)}\`: write 'meta.requestId' or ['meta', 'request.id']`,
  );
}
