/** How an order with a window chooses who stays. */

/** Which window, and who goes on from it. */
export interface WindowRule {
  /** The share of all entries that are in the window: 0 to 1. A window of 1 is LRU. */
  readonly share: number;
  /**
   * The oldest of the window takes the place of the least recently used of the rest if it was used two times more lately (W-TinyLFU),
   * or if it was used twice at all (as in S3-FIFO): this learns sooner what has become popular, and keeps nothing of a loop.
   */
  readonly admission: 'more often' | 'twice';
}

export const lruRule: WindowRule = { share: 1, admission: 'more often' };
/** W-TinyLFU as published. */
export const narrowRule: WindowRule = { share: 0.01, admission: 'more often' };

/** What people know a rule as. */
export function ruleName({ share, admission }: WindowRule): string {
  if (share >= 1) return 'lru';
  const policy = admission === 'twice' ? 'what was used twice' : 'w-tinylfu';
  return `${policy} with a window of ${Math.round(share * 100)} %`;
}
