/** What the cache takes of the disk tier. */

export { toStorageError } from './disk-errors.js';
export { DiskTier } from './disk-tier.js';
export { assertThere } from './offline/path-patterns.js';
export { ReadOnlyTier } from './read-only-tier.js';
