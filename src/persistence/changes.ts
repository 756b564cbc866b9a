/** Changes that others have made, as far as it matters whether a load was begun after them. */

import { compareStamps, type Stamp } from '../stamp.js';
import type { LoadWatch } from '../tier.js';

/** Hears of changes as a `LoadWatchListener` does, and of their stamps. */
export type ChangeListener = (change: 'key' | 'tag', stamp: Stamp) => void;

/** What other processes change of a key while it is loaded, here or by one of them. */
export interface ChangeWatch extends LoadWatch {
  /** @param began the stamp of another process's load: what that one had invalidated itself before does not count */
  isInvalidated(tags: readonly string[] | undefined, began?: Stamp): boolean;
}

/** The newest of one writer's changes. The clocks of several may be apart: what they came to is in no sure order. */
export type Changes = Stamp | 'of several';

/** These changes and one more. */
export function withChange(changes: Changes | undefined, change: Changes): Changes {
  if (changes === undefined) return change;
  if (changes === 'of several' || change === 'of several' || changes.writer !== change.writer)
    return 'of several';
  return compareStamps(changes, change) > 0 ? changes : change;
}

/** Whether whoever began a load with this stamp had made all of these changes before: one writer's stamps are in order. */
export function isOwnPast(changes: Changes, began: Stamp): boolean {
  return changes !== 'of several' && changes.writer === began.writer && compareStamps(changes, began) < 0;
}
