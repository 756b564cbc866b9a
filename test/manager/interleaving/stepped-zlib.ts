/** zlib whose thread pool is one step of the test: its calls come back when the test says so, not when a thread does. */

import type * as zlib from 'node:zlib';

/** What each call of the pool waits for. */
export const pool = { step: (_: string): Promise<void> => Promise.resolve() };

type Callback = (error: Error | null, result?: unknown) => void;

/** To stand in for `node:zlib`. */
export function steppedZlib(actual: typeof zlib): object {
  const stepped =
    (name: string, work: (bytes: Uint8Array, options: zlib.ZlibOptions) => unknown) =>
    (bytes: Uint8Array, options: zlib.ZlibOptions, callback: Callback) => {
      void pool.step(name).then(() => {
        let result: unknown;
        try {
          result = work(bytes, options);
        } catch (error) {
          callback(error as Error);
          return;
        }
        callback(null, result);
      });
    };
  const replaced = {
    ...actual,
    deflateRaw: stepped('deflate', (bytes, options) => actual.deflateRawSync(bytes, options)),
    inflateRaw: stepped('inflate', (bytes, options) => actual.inflateRawSync(bytes, options)),
    gunzip: stepped('gunzip', (bytes, options) => actual.gunzipSync(bytes, options)),
  };
  return { ...replaced, default: replaced };
}
