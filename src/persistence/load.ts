/** Loads the code of the disk tier. */

import * as code from './index.js';

/**
 * What the cache takes of it. In what is published this is code of its own, loaded by `load-lazily.ts` where that can be: then
 * `_shared` are the modules outside of this folder that it uses, by their paths, see `tsup.quick-import.ts`.
 */
export function load(_shared: Readonly<Record<string, object>>): typeof code {
  return code;
}
