import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { gate } from '../helper/gate.js';

/** As older polyfills make it: without `reason`, and events that are mere functions' calls. */
function polyfilledController() {
  const listeners = new Set<() => void>();
  const signal = {
    aborted: false,
    addEventListener: (_type: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_type: string, listener: () => void) => listeners.delete(listener),
  };
  const abort = () => {
    signal.aborted = true;
    for (const listener of listeners) listener();
  };
  return { signal: signal as unknown as AbortSignal, abort };
}

describe.each(['getOrSet', 'refresh'] as const)(
  '%s with a polyfilled signal that knows no reason',
  (name) => {
    it('ends the wait with an AbortError', async () => {
      const cache = new CacheManager();
      const { signal, abort } = polyfilledController();
      const tool = gate();
      const answer = cache[name]('tool', 1, () => tool.promise, { signal });
      abort();
      await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
      tool.open();
    });

    it('that is aborted already rejects with an AbortError', async () => {
      const { signal, abort } = polyfilledController();
      abort();
      const answer = new CacheManager()[name]('tool', 1, () => 1, { signal });
      await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    });

    it('does so for a call that can have no key', async () => {
      const { signal, abort } = polyfilledController();
      const tool = gate();
      const answer = new CacheManager()[name](
        'tool',
        () => 1,
        () => tool.promise,
        { signal },
      );
      abort();
      await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
      tool.open();
    });
  },
);
