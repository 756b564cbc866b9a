/** What clients of a session wait for, by the ids that they have given. */

import { idKey } from './message.js';
import type { ToClient } from './server-link.js';

/** A request under an own id, or a call of a cached tool, and what aborts it. */
export interface Asked {
  readonly by: string | AbortController;
  readonly to: ToClient;
}

/** The requests of one session. */
export class PendingClientRequests {
  readonly #asked = new Map<string, Asked>();
  readonly #idle = new Set<() => void>();

  get(id: unknown, to: ToClient): Asked | undefined {
    return this.#asked.get(keyOf(id, to));
  }

  begin(id: unknown, asked: Asked): void {
    this.#asked.set(keyOf(id, asked.to), asked);
  }

  /** It is answered, or nobody waits any more. */
  end(id: unknown, to: ToClient): void {
    this.#asked.delete(keyOf(id, to));
    if (this.#idle.size === 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  /** Resolves once none is left of those. */
  async idle(isWaitedFor: (asked: Asked) => boolean): Promise<void> {
    while ([...this.#asked.values()].some(isWaitedFor))
      await new Promise<void>((resolve) => this.#idle.add(resolve));
  }
}

function keyOf(id: unknown, { origin = '' }: ToClient): string {
  return `${origin} ${idKey(id)}`;
}
