/** How many elements one value may hold: bytes that nobody vouches for may claim any number of them. */

import { UnstorableValueError } from '../../errors.js';

/**
 * Items of arrays and pairs of maps that one value may hold in all, nested ones too, as it is encoded. So many empty
 * maps take 70 MB once decoded.
 */
export const maxElements = 2 ** 20;

/** What binary takes besides its bytes is more than an item does. */
export const binaryElements = 2;

/** The count of elements of a value that is to be stored. Throws `UnstorableValueError` beyond the bound. */
export function storableElements(count: number): number {
  if (count <= maxElements) return count;
  throw new UnstorableValueError(
    'value',
    `Expected \`value\` to hold at most ${maxElements} elements (items of lists and pairs of maps, nested ones too), got ${count} or more; store it in parts, numbers as a typed array`,
  );
}
