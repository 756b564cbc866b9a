/** Keys that surely don't exist, so that the tool need not be called for them. */

import { asCacheError, type CacheCore } from './core.js';
import type { AnswerPlace } from './keeping.js';

/** Whether a key surely doesn't exist, counted. A `knownKeys` that fails is counted too and knows nothing. */
export function isUnknownKey(core: CacheCore, { state, key, options }: AnswerPlace): boolean {
  try {
    if (options.knownKeys === undefined || options.knownKeys.mayHave(key)) return false;
  } catch (error) {
    core.failed(asCacheError(error, `\`knownKeys\` of \`${state.name}\` failed`), state, key);
    return false;
  }
  state.counters.unknownKeys++;
  if (core.events.isHeard('unknownKey')) core.events.emit('unknownKey', { method: state.name, key });
  return true;
}
