/** The page for Prometheus. */

import { afterEach, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { closeServed, HttpClient, serve } from './http-client.js';
import { configOf } from './raw-client.js';

afterEach(closeServed);

const config = configOf({ tools: { count: {} } });
const pageOf = (url: string) => url.replace('/mcp', '/metrics');

it('says what is missing where its library is not installed', async () => {
  vi.doMock('prom-client', () => {
    throw new Error('no such package');
  });
  const page = await fetch(pageOf(await serve(config)));
  expect(page.status).toBe(500);
  expect(await page.text()).toContain('npm install prom-client');
  vi.doUnmock('prom-client');
});

it('holds the figures of the cache by tool, for whom the token lets in', async () => {
  const token = 'a token of some length';
  const cache = new CacheManager();
  const url = await serve({ ...config, listen: { port: 0, token } }, cache);
  const headers = { authorization: `Bearer ${token}` };
  const client = await HttpClient.connect(url, headers);
  for (let call = 0; call < 3; call += 1) await client.call('count');
  const page = await fetch(pageOf(url), { headers });
  expect(page.headers.get('content-type')).toContain('text/plain');
  expect(await page.text()).toContain('toolstash_hits_total{cache="default",method="raw/count"} 2\n');
  await client.call('count');
  expect(await (await fetch(pageOf(url), { headers })).text()).toContain('method="raw/count"} 3\n');
  expect((await fetch(pageOf(url))).status).toBe(401);
  expect((await fetch(pageOf(url), { method: 'POST', headers })).status).toBe(404);
});
