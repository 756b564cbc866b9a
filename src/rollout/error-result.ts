/** Results that say that their call has failed. */

import { isErrorByConvention } from '../tools/error-result.js';
import type { RolloutTool } from './rollout-call.js';

/** Whether a result is an error, by the convention of a framework or by `isError`; also where that can't be told. */
export function isErrorOf({ options, method }: RolloutTool, result: unknown): boolean {
  try {
    const isError = (options?.isError ?? method.options.isError) || undefined;
    return isErrorByConvention(result) || isError?.(result) === true;
  } catch {
    return true;
  }
}
