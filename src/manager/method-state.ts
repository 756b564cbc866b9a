/** What a cache keeps for each method: its options, its key function, its counters. */

import { createKeyHasher, type KeyHasher } from '../key/key-hasher.js';
import type { ResolvedMethodOptions } from '../options.js';
import { MethodCounters } from '../stats/counters.js';

/** One method's options, key function and counters. A wrapped function has options of its own and shares the counters. */
export class MethodState {
  readonly name: string;
  readonly options: ResolvedMethodOptions;
  readonly counters: MethodCounters;
  readonly hash: KeyHasher;

  /** @throws InvalidArgumentError when the name can't be part of a key */
  constructor(name: string, options: ResolvedMethodOptions, counters = new MethodCounters()) {
    this.name = name;
    this.options = options;
    this.counters = counters;
    this.hash = createKeyHasher(name, { version: options.version, ignore: options.ignore });
  }
}
