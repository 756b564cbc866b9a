/** What a cache keeps for each method: its options, its key function, its counters. */

import { createKeyHasher, type KeyHasher } from '../key/key-hasher.js';
import type { ResolvedMethodOptions } from '../options.js';
import { MethodCounters } from '../stats/counters.js';

/** One method's options, key function and counters. */
export class MethodState {
  readonly name: string;
  readonly options: ResolvedMethodOptions;
  readonly counters = new MethodCounters();
  readonly hash: KeyHasher;

  /** @throws InvalidArgumentError when the name can't be part of a key */
  constructor(name: string, options: ResolvedMethodOptions) {
    this.name = name;
    this.options = options;
    this.hash = createKeyHasher(name, { version: options.version, ignore: options.ignore });
  }
}
