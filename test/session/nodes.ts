/** Nodes that share a Redis, in this process; closed after each test. */

import { type SessionOptions, SessionRegistry, type SessionTypes } from '../../src/session/index.js';

const opened: SessionRegistry[] = [];

/** A node that is not given up because this machine is busy. */
export function nodeOf<T extends SessionTypes>(options: SessionOptions<T>): SessionRegistry<T> {
  const registry = new SessionRegistry<T>({ ttl: '60s', refresh: 300, timeout: '5s', ...options });
  opened.push(registry as unknown as SessionRegistry);
  return registry;
}

/** The same, once it has joined the others. */
export async function openNode<T extends SessionTypes>(
  options: SessionOptions<T>,
): Promise<SessionRegistry<T>> {
  const registry = nodeOf(options);
  for (let left = 10; ; left -= 1) {
    try {
      await registry.open();
      return registry;
    } catch (error) {
      // A busy machine may not connect in time; other failures stay.
      if (left === 0 || !String(error).includes('timeout')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

export async function closeNodes(): Promise<void> {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
}
