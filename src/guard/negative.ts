/** Negative results: "nothing found" is remembered too, but only for a short time. */

/** Tells whether a result says that there is nothing. */
export type NegativeTest = (value: unknown) => boolean;

/** The default test: `null` and `undefined` are nothing. An empty list, an empty string and 0 are answers. */
export const isNothing: NegativeTest = (value) => value === null || value === undefined;

/**
 * The ttl of a result: `negativeTtl` if it says that there is nothing, else `ttl`.
 *
 * @typeParam Ttl ms, or whatever else the caller uses, `null` for never included
 */
export function ttlOfResult<Ttl>(
  value: unknown,
  {
    ttl,
    negativeTtl,
    isNegative = isNothing,
  }: {
    readonly ttl: Ttl;
    /** Without it "nothing found" is a result like any other. */
    readonly negativeTtl: Ttl | undefined;
    readonly isNegative?: NegativeTest;
  },
): Ttl {
  return negativeTtl !== undefined && isNegative(value) ? negativeTtl : ttl;
}
