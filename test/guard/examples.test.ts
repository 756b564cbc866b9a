/** The example of each guard says what it claims. */

import { readdirSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const folder = new URL('../../examples/guards/', import.meta.url);
const names = readdirSync(folder).flatMap((name) => (name.endsWith('.ts') ? [name.slice(0, -3)] : []));

const expected: Readonly<Record<string, RegExp>> = {
  'cached-errors': /404: 1 request, HttpError: HTTP 404\n.*503: 5 requests/s,
  'circuit-breaker': /100 queries, 3 calls.*ERR_CIRCUIT_OPEN\n.*row 101; 98 were spared/s,
  concurrency: /at most 4 ran together, 6 were refused\n`browse` runs 4 times already and 20 more/,
  'error-results': /second: \{ content: '4 files' \}\nthird: {2}\{ content: '4 files' \}/,
  jitter: /without: 10000\n.*at most 60: true/,
  'known-keys': /\{ id: 42, total: 7 \}\n.*true/,
  'negative-results': /1 lookup\n.*Ada Lovelace/,
  'refresh-ahead': /without: 1\d\d\n.*with: {4}(?:\d|[1-9]\d)$/,
  'sliding-expiry': /minute 50: \{ cart: 3 \}\nminute 60: expired/,
  'stale-if-error': /because of an error\)\nwhile it fails: \{ usd: 1.09 \}\nan hour later: {2}error 503/,
  'stale-while-revalidate':
    /just expired: {6}edition 1\na moment later: {4}edition 2\n1 stale hit, 1 refresh in the background/,
  tags: /changed repository: {2}undefined\n.*both: {6}undefined\n.*other repository: {4}\{ repo: 'api'/,
  timeouts: /after 250 ms\n.*report 1, after 500 ms\n.*report 2\n.*ERR_LOADER_TIMEOUT, after 30000 ms/,
  'ttl-classes': /gone, value, value\n.*gone, gone, gone/,
  'expensive-results': /lru has kept 0\n.*gdsf has kept 10/,
};

it('has all examples', () => {
  expect(Object.keys(expected).sort()).toEqual(names.sort());
});

it.each(names)('%s', async (name) => {
  const { format } = await import('node:util');
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...parts) => void lines.push(format(...parts)));
  await import(`../../examples/guards/${name}.ts`);
  log.mockRestore();
  expect(lines.join('\n')).toMatch(expected[name]!);
});
