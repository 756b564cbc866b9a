/** What a strict recording throws. */

import { CacheError } from '../index.js';

/** The recorded call that is nearest to one that is not recorded. */
export interface NearestCall {
  /** Its key, 32 hex digits. */
  readonly key: string;
  /** The paths of the arguments that differ, as `filter.tags.0`; `''` is the params themselves. */
  readonly paths: readonly string[];
  /** How far it is, as `approximate` measures it. */
  readonly distance: number;
}

/** A call that is not recorded, in the mode `strict`: its tool was not run. Its `code` is `ERR_NOT_RECORDED`. */
export class NotRecordedError extends CacheError {
  /** The tool's name. */
  readonly method: string;
  /** The recorded call of the tool that is nearest; `undefined`: there is none, or its params were not kept. */
  readonly nearest: NearestCall | undefined;

  constructor(method: string, message: string, options: ErrorOptions & { nearest?: NearestCall } = {}) {
    const { nearest, ...others } = options;
    super('ERR_NOT_RECORDED', message, others);
    this.name = 'NotRecordedError';
    this.method = method;
    this.nearest = nearest;
  }
}
