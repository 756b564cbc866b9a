/** The sizes of caches that are simulated, as they are asked for. */

import { byteSize } from '../option-value.js';
import { UsageError } from '../usage-error.js';

/** A size: a share of what all keys take together, or an amount. */
export type AskedSize = { readonly share: number } | { readonly amount: number };

/** Percent of all keys' bytes. */
export const defaultSizes = '1%,3%,10%,25%,50%,100%';

/** The most sizes at once. */
const most = 24;

/** Reads `1%,5%,64MiB`. Plain numbers are bytes, or entries where the trace knows no sizes. */
export function parseSizes(text: string): AskedSize[] {
  const sizes = text.split(',').map((part): AskedSize => {
    const percent = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(part)?.[1];
    if (percent === undefined) return { amount: byteSize('--sizes')(part.trim()) };
    const share = Number(percent) / 100;
    if (share > 0 && share <= 1) return { share };
    throw new UsageError(`Expected --sizes to be above 0 % and at most 100 %, got \`${part.trim()}\``);
  });
  if (sizes.length <= most) return sizes;
  throw new UsageError(`Expected --sizes to be at most ${most}, got ${sizes.length}`);
}

/** The sizes for a trace whose keys take so much together, ascending, each once. */
export function resolveSizes(sizes: readonly AskedSize[], footprint: number): number[] {
  const amounts = sizes.map((size) =>
    Math.max(1, 'share' in size ? Math.round(size.share * footprint) : size.amount),
  );
  return [...new Set(amounts)].sort((a, b) => a - b);
}
