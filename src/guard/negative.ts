/** Negative results: "nothing found" is remembered too, but only for a short time. */

/** Tells whether a result says that there is nothing. */
export type NegativeTest = (value: unknown) => boolean;

/** The default test: `null` and `undefined` are nothing. An empty list, an empty string and 0 are answers. */
export const isNothing: NegativeTest = (value) => value === null || value === undefined;
