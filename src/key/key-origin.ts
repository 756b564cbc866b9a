/** What a key was made from, as it is kept beside an entry on request: the option `keepParams`. */

import { types } from 'node:util';
import { type Defined, objectOf, refuseUnknown } from '../option-checks.js';
import type { HeldArguments } from './argument-index.js';
import { checkedPaths, type IgnoredMembers, type IgnoredPath } from './ignored-path.js';
import { type RedactedPaths, redactedBelow } from './redacted-paths.js';
import { isPlain } from './tagged-form.js';

/** The params, scope and version of an entry, as far as they are kept, and the rollout that has stored it. */
export interface KeyOrigin {
  /** The params as one complete msgpack value, without what is redacted or ignored. */
  readonly encodedParams?: Uint8Array;
  /** The option `scope` of the call; of one through a rollout `rollout:` and a digest of what it may be shared by. */
  readonly scope?: string;
  /** The option `version` of the method. */
  readonly version?: string | number;
  /** The task of the rollout. */
  readonly task?: string;
  /** The name of the rollout among those of its task. */
  readonly rollout?: string;
}

/** Params are kept, but for these paths. */
export interface KeepParams {
  /**
   * As in `ignore`: `'token'`, `'auth.token'`, `['auth', 'api.key']`; besides, `*` is any key and `**` any number of them
   * (`'*.apiKey'`, `'**.password'`), and case makes no difference. In lists `null` stands in for what is left out.
   */
  readonly redact?: readonly IgnoredPath[] | undefined;
}

/** The option `keepParams`, checked; `undefined`: nothing is kept. What is redacted adds up. @throws InvalidOptionError */
export function resolveKeepParams(
  value: boolean | KeepParams | undefined,
  path: string,
  inherited: Required<Defined<KeepParams>> | undefined,
): Required<Defined<KeepParams>> | undefined {
  if (value === undefined) return inherited;
  if (typeof value === 'boolean') return value ? (inherited ?? { redact: [] }) : undefined;
  objectOf(value, path, 'true, false or `{ redact: [paths] }`');
  refuseUnknown(value, ['redact'], { of: `\`${path}\``, noun: 'field' });
  const { redact = [] } = value;
  return { redact: [...(inherited?.redact ?? []), ...checkedPaths(redact, `${path}.redact`)] };
}

interface Encoder {
  encode(value: unknown): Uint8Array;
}

/** An origin whose params are those that the argument index holds, for as long as it does, encoded when they are asked for. */
class SharingOrigin implements KeyOrigin {
  declare readonly scope?: string;
  declare readonly version?: string | number;
  declare readonly task?: string;
  declare readonly rollout?: string;
  readonly #encoder: Encoder;
  /** Once the index has let go of them, an own copy, as is counted. */
  #params: HeldArguments | Uint8Array;

  constructor({ encodedParams: _, ...others }: KeyOrigin, held: HeldArguments, encoder: Encoder) {
    Object.assign(this, others);
    this.#encoder = encoder;
    this.#params = held;
    held.whenLeft(() => {
      this.#params = this.encodedParams;
    });
  }

  get encodedParams(): Uint8Array {
    return this.#params instanceof Uint8Array ? this.#params : this.#encoder.encode(this.#params.value());
  }
}

/** The same origin with its params shared, or itself where they are not the same, as after something was redacted. */
export function sharingParams(origin: KeyOrigin, held: HeldArguments, encoder: Encoder): KeyOrigin {
  const { encodedParams } = origin;
  if (encodedParams === undefined) return origin;
  const isSame = Buffer.compare(encoder.encode(held.value()), encodedParams) === 0;
  return isSame ? new SharingOrigin(origin, held, encoder) : origin;
}

/** What is known of an origin, as fields of its own. */
export function plainOrigin({ encodedParams, scope, version, task, rollout }: KeyOrigin): KeyOrigin {
  return {
    ...(encodedParams !== undefined && { encodedParams }),
    ...(scope !== undefined && { scope }),
    ...(version !== undefined && { version }),
    ...(task !== undefined && { task }),
    ...(rollout !== undefined && { rollout }),
  };
}

/** Which members of params are not kept. */
export interface UnkeptMembers {
  /** Left out, in lists too, as they are of the key. */
  readonly ignored: IgnoredMembers | undefined;
  /** Left out; in lists `null` takes their place, so that the others keep theirs. */
  readonly redacted: RedactedPaths | undefined;
}

/**
 * Params as they are kept. A redacted path that leads into a Map, a Set or the like takes all of that: nothing that was
 * to be hidden is kept for want of a way to it. `undefined` when nothing is left.
 */
export function keptParams(value: unknown, { ignored, redacted }: UnkeptMembers): unknown {
  if (ignored === undefined && redacted === undefined) return value;
  if (typeof value !== 'object' || value === null) return value;
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return redacted === undefined || types.isDate(value) ? value : undefined;
  const kept: [key: string, member: unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    const ignoredBelow = ignored?.get(key);
    const below = redactedBelow(redacted, key);
    if (ignoredBelow === true) continue;
    const rest = below === true ? undefined : keptParams(member, { ignored: ignoredBelow, redacted: below });
    const isGone = rest === undefined && (below === true || member !== undefined);
    if (isList) kept.push([key, isGone ? null : rest]);
    else if (!isGone) kept.push([key, rest]);
  }
  return isList ? kept.map(([, member]) => member) : Object.fromEntries(kept);
}
