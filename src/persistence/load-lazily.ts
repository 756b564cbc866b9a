/**
 * Stands in for `load.ts` where Node runs the package as it was built. The code must be there at once, since what was set
 * before `process.exit()` is written even where the cache was made in the same turn; so it is CommonJS.
 */

import type { load as loadAtOnce } from './load.js';

export const load: typeof loadAtOnce = (shared) => {
  const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);
  return (require('./persistence.cjs') as { load: typeof loadAtOnce }).load(shared);
};
