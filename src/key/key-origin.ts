/** What a key was made from, as it is kept beside an entry on request: the option `keepParams`. */

import { InvalidOptionError } from '../errors.js';
import { objectOf, refuseUnknown } from '../option-checks.js';
import { type IgnoredMembers, type IgnoredPath, ignoredMembers } from './ignored-path.js';
import { isPlain } from './tagged-form.js';

/** The params, scope and version of an entry, as far as they are kept. */
export interface KeyOrigin {
  /** The params as one complete msgpack value, without what is redacted or ignored. */
  readonly encodedParams?: Uint8Array;
  /** The option `scope` of the call. */
  readonly scope?: string;
  /** The option `version` of the method. */
  readonly version?: string | number;
}

/** Params are kept, but for these paths. */
export interface KeepParams {
  /** As in `ignore`: `'token'`, `'auth.token'`, `['auth', 'api.key']`. In lists `null` stands in for what is left out. */
  readonly redact?: readonly IgnoredPath[];
}

/** The option `keepParams`, checked; `undefined`: nothing is kept. @throws InvalidOptionError */
export function resolveKeepParams(
  value: boolean | KeepParams,
  path: string,
): Required<KeepParams> | undefined {
  if (typeof value === 'boolean') return value ? { redact: [] } : undefined;
  objectOf(value, path, 'true, false or `{ redact: [paths] }`');
  refuseUnknown(value, ['redact'], { of: `\`${path}\``, noun: 'field' });
  const { redact = [] } = value;
  try {
    ignoredMembers(redact);
  } catch (cause) {
    throw new InvalidOptionError(`Wrong \`${path}.redact\`: ${(cause as Error).message}`, { cause });
  }
  return { redact };
}

/** Which members of params are not kept. */
export interface UnkeptMembers {
  /** Left out, in lists too, as they are of the key. */
  readonly ignored: IgnoredMembers | undefined;
  /** Left out; in lists `null` takes their place, so that the others keep theirs. */
  readonly redacted: IgnoredMembers | undefined;
}

/**
 * Params as they are kept. A redacted path that leads into a Map, a Set or the like takes all of that: nothing that was
 * to be hidden is kept for want of a way to it. `undefined` when nothing is left.
 */
export function keptParams(value: unknown, { ignored, redacted }: UnkeptMembers): unknown {
  if (ignored === undefined && redacted === undefined) return value;
  if (typeof value !== 'object' || value === null) return value;
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return redacted === undefined ? value : undefined;
  const kept: [key: string, member: unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    const ignoredBelow = ignored?.get(key);
    const redactedBelow = redacted?.get(key);
    if (ignoredBelow === true) continue;
    const rest =
      redactedBelow === true
        ? undefined
        : keptParams(member, { ignored: ignoredBelow, redacted: redactedBelow });
    const isGone = rest === undefined && (redactedBelow === true || member !== undefined);
    if (isList) kept.push([key, isGone ? null : rest]);
    else if (!isGone) kept.push([key, rest]);
  }
  return isList ? kept.map(([, member]) => member) : Object.fromEntries(kept);
}
