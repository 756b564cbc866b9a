/** Memory that threads share, as the memory tier of their caches. */

import { InvalidOptionError } from '../errors.js';
import { expected, integer, objectOf, refuseUnknown } from '../option-checks.js';
import type { Arena, ArenaHandle, ArenaStats, ArenaWiring, SharedMemory } from '../store/arena-options.js';
import { ArenaMemory } from './arena-memory.js';
import { SharedArena } from './shared-arena.js';

export type { Arena, ArenaHandle, ArenaStats } from '../store/arena-options.js';

/** How large an arena is. Its memory is taken from the machine as it fills. */
export interface ArenaOptions {
  /** The most bytes it takes, entries and index together: at least 65,536. */
  readonly maxBytes: number;
  /**
   * The most entries.
   * @default maxBytes / 512
   */
  readonly maxSize?: number | undefined;
}

const smallestArena = 65_536;
const bytesOfTypicalEntry = 512;

/**
 * Memory for a cache that worker threads share, and that costs the garbage collector nothing however much it holds:
 * `new CacheManager({ memory: arena({ maxBytes: 2 ** 30 }) })`. Values lie in it encoded. The thread that makes it must
 * outlive the others.
 *
 * @throws InvalidOptionError naming the option, its value and the fix
 */
export function arena(options: ArenaOptions): Arena {
  refuseUnknown(objectOf(options, 'arena', 'an object of options'), ['maxBytes', 'maxSize'], { of: 'arena' });
  const maxBytes = integer(options.maxBytes, 'maxBytes');
  if (maxBytes < smallestArena) throw expected('maxBytes', `at least ${smallestArena}`, maxBytes);
  const maxSize = integer(options.maxSize ?? Math.ceil(maxBytes / bytesOfTypicalEntry), 'maxSize');
  return new ThreadArena(SharedArena.create({ maxBytes, maxSize }));
}

/** The arena that another thread has shared, in this one. @throws InvalidOptionError for what is no handle */
export function attach(handle: ArenaHandle): Arena {
  const given = handle as Partial<ArenaHandle> | undefined;
  if (typeof given !== 'object' || given?.memory === undefined || typeof given.port?.unref !== 'function')
    throw expected('attach', 'the handle that `share()` made, with its `port` in the `transferList`', handle);
  return new ThreadArena(SharedArena.attach(handle));
}

class ThreadArena implements Arena {
  readonly #shared: SharedArena;
  #isConnected = false;

  constructor(shared: SharedArena) {
    this.#shared = shared;
  }

  share(): ArenaHandle {
    return this.#shared.share();
  }

  stats(): ArenaStats {
    return this.#shared.stats();
  }

  connect(wiring: ArenaWiring): SharedMemory {
    if (this.#isConnected)
      throw new InvalidOptionError(
        'Expected `memory` to be an arena that no other cache of this thread has: give this one `attach(arena.share())`',
      );
    this.#isConnected = true;
    return new ArenaMemory(this.#shared, wiring);
  }
}
