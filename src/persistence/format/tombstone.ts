/** What deletes entries without naming them: a method, a tag, or everything is cleared as of a stamp. */

import type { Stamp } from '../../stamp.js';
import { entryKind } from './header-entries.js';
import { hashMethod } from './partition-name.js';

/** The method, without a name, whose partitions hold the markers for all methods. */
export const unnamedMethod = '';

/** The key of the marker that clears everything. */
export const clearAllKey = '0'.repeat(32);

/** What a marker covers: one method, everything, or what carries a tag. */
export type TombstoneScope =
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'tag'; readonly tag: string };

/** A marker and its stamp. */
export interface RangeTombstone {
  readonly scope: TombstoneScope;
  readonly stamp: Stamp;
}

/** A marker as headers tell it: its kind, and the key of what it covers. */
export function addressOf(scope: TombstoneScope): { readonly kind: number; readonly key: string } {
  switch (scope.kind) {
    case 'method':
      return { kind: entryKind.clearMethod, key: hashMethod(scope.method) };
    case 'all':
      return { kind: entryKind.clearAll, key: clearAllKey };
    case 'tag':
      return { kind: entryKind.invalidateTag, key: hashTag(scope.tag) };
  }
}

/** The name of a tag as headers carry it. */
export function hashTag(tag: string): string {
  return hashMethod(`tag:${tag}`);
}
