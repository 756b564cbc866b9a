/** What a load came to, and how it is shared out among its callers. */

import type { Found } from './tiers.js';

/**
 * The outcome of one load. The caller who started it gets the loader's own value; those who joined get what the
 * value keeper hands out, or, where the keeper refused the value, have to call the tool themselves.
 */
export interface Loaded {
  readonly value: unknown;
  /** What the load took, in ms; for a value found in a slower tier what it had taken back then. */
  readonly loadMs: number;
  /** A value of its own for a caller who joined; `undefined` where the value can't be shared. */
  readonly share: (() => unknown) | undefined;
  /** Whether the value is an error by `isError`. */
  readonly isError: boolean;
  /**
   * What was found below memory instead, past its ttl: each caller decides by its own options whether that will do,
   * and sees to its renewal.
   */
  readonly stale?: Found;
}
