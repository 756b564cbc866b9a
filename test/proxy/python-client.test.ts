/** The example of a client in Python, which knows nothing but HTTP and JSON. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { resolveConfig, serveHttp } from '../../src/proxy/index.js';
import { findPython } from '../helper/python.js';
import { configOf } from './raw-client.js';

const script = fileURLToPath(new URL('../../examples/python/mcp_proxy_client.py', import.meta.url));

it('is answered from the cache', async () => {
  const stop = new AbortController();
  const config = resolveConfig({ ...configOf({ tools: { '*': {} } }), listen: { port: 0 } });
  let ended: Promise<void> | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    ended = serveHttp(config, new CacheManager(), { signal: stop.signal, onListening: resolve });
    ended.catch(reject);
  });
  const ask = async (tool: string, args: string) =>
    (await promisify(execFile)(findPython(), [script, url, tool, args])).stdout;
  const big = '{"n": 12345678901234567890, "é": null}';
  const args = '{"n":12345678901234567890,"é":null}';
  // The server itself holds no such integer.
  const said = `run 1 ${JSON.stringify(JSON.parse(args))}`;
  expect(await ask('count', big)).toBe(`tool: ${said}\nmemory: ${said}\n`);
  expect(await ask('write', '{}')).toMatch(/^not cached: run 1\nnot cached: run 2\n$/);
  stop.abort();
  await ended;
});
