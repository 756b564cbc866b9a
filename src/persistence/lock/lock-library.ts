/**
 * proper-lockfile, loaded when a folder is first locked: whoever caches in memory alone does without it, and without
 * signal-exit, which comes with it and changes how a process exits (an unsettled top-level await with 0 instead of 13).
 */

import type { lock } from 'proper-lockfile';
import { CacheError } from '../../errors.js';
import { withoutSignalExit } from './signal-exit.js';

/** The library's `lock`. Rejects with `CacheError` where it can't be loaded, as in some bundles. */
export async function loadLock(): Promise<typeof lock> {
  try {
    // The module as a whole: bundlers disagree on the names that a CommonJS module exports.
    return (await withoutSignalExit(() => import('proper-lockfile'))).default.lock;
  } catch (cause) {
    throw new CacheError(
      'ERR_STORAGE',
      'Expected `proper-lockfile` to load, which locks the cache folder. In ESM bundles of esbuild CommonJS packages ' +
        "lack `require`: add `--external:proper-lockfile`, or `--banner:js=\"import { createRequire } from 'module'; " +
        'const require = createRequire(import.meta.url);"`',
      { cause },
    );
  }
}
