/** The options of `cacheClient`: who may share results. */

import { InvalidOptionError } from '../errors.js';
import { objectOf, refuseUnknown, shown, trueOrFalse } from '../option-checks.js';

/** Who may share results. */
export interface CacheClientOptions {
  /**
   * Names the server and how it is set up (its root folder, its database): clients that give the same name share results,
   * also across processes. Without it each connection has its own.
   * @default undefined
   */
  readonly server?: string | undefined;
  /**
   * For whom the server answers, where that makes a difference: a user, a tenant, the account of a token. `null` where it
   * answers everybody alike. A function is asked at each call. Needed with `server`.
   * @default null
   */
  readonly principal?: string | null | (() => string | null) | undefined;
  /**
   * Whether results say in their `_meta` where they come from: `'toolstash/answer': { source, ageMs, isStale, key }`, as
   * `onAnswer` of `toolstash/trust` tells it; with `approximate`, its distance and paths, for an approximate answer.
   * @default false
   */
  readonly provenance?: boolean | undefined;
}

/** @throws InvalidOptionError naming the option, its value and the fix */
export function checkedOptions(options: CacheClientOptions): CacheClientOptions {
  const what = "an object, as `{ server: 'docs', principal: null }`";
  refuseUnknown(objectOf(options, 'options', what), ['server', 'principal', 'provenance'], {
    of: 'cacheClient',
  });
  const { server, principal, provenance } = options;
  if (provenance !== undefined) trueOrFalse(provenance, 'provenance');
  if (server !== undefined && (typeof server !== 'string' || server === ''))
    throw new InvalidOptionError(`Expected \`server\` to be a non-empty string, got ${shown(server)}`);
  if (principal !== undefined && typeof principal !== 'function') checkPrincipal(principal, '`principal`');
  if (server !== undefined && principal === undefined) {
    throw new InvalidOptionError(
      'Expected `principal` with `server`, got none: say for whom the server answers, `principal: userId`, or ' +
        '`principal: null` where it answers everybody alike',
    );
  }
  return options;
}

/** For whom the server answers now. @throws InvalidOptionError, or what the user's function throws */
export function principalOf({ principal = null }: CacheClientOptions): string | null {
  if (typeof principal !== 'function') return principal;
  return checkPrincipal(principal(), 'what the function `principal` returns');
}

function checkPrincipal(value: unknown, what: string): string | null {
  if (value === null || (typeof value === 'string' && value !== '')) return value;
  throw new InvalidOptionError(
    `Expected ${what} to be a non-empty string, or \`null\` for everybody, got ${shown(value)}`,
  );
}
