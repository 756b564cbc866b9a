/** Calling listeners of users', whose failures are no failures of the call. */

import { inspect, types } from 'node:util';

/** Calls a listener and does not wait for it. What it throws, or rejects with, is a process warning that begins with `who`. */
export function callListener<Event>(
  who: string,
  listener: ((event: Event) => void) | undefined,
  event: Event,
): void {
  try {
    const returned: unknown = listener?.(event);
    if (types.isPromise(returned)) returned.then(undefined, (error: unknown) => warn(who, error));
  } catch (error) {
    warn(who, error);
  }
}

function warn(who: string, error: unknown): void {
  // Anything may be thrown, also what can't become a string.
  const detail = inspect(error, { customInspect: false });
  process.emitWarning(`${who} failed: ${detail}`, { type: 'ToolstashWarning' });
}
