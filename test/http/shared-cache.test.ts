/**
 * What RFC 9111 asks of a shared cache, case by case: the behaviours that the public tests of HTTP caches look at
 * (cache-tests.fyi), in cases of our own. `examples/http/README.md` has the table.
 */

import { afterEach, describe, expect, it } from 'vitest';
import { closeSites, fetchSite, nodeSite } from './site.js';

afterEach(closeSites);

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toUTCString();
type Headers = Readonly<Record<string, string | string[]>>;

/** Responses that are answered again, and those that are not. */
const responses: Readonly<Record<string, readonly [reused: readonly Headers[], asked: readonly Headers[]]>> =
  {
    '`Cache-Control`': [
      [
        { 'cache-control': 'max-age=100' },
        { 'cache-control': 'MaX-aGe=100' },
        { 'cache-control': 'max-age=000100' },
        { 'cache-control': 'max-age=99999999999' },
        { 'cache-control': 's-maxage=100' },
        { 'cache-control': 'max-age=1, s-maxage=100' },
        { 'cache-control': 'max-age=100, unknown="max-age=1"' },
        { 'cache-control': 'max-age=100', expires: at(-100) },
        { 'cache-control': 'max-age=100', pragma: 'no-cache' },
        { 'cache-control': 'max-age=100, must-revalidate' },
      ],
      [
        { 'cache-control': 'max-age=0' },
        { 'cache-control': 'max-age=-100' },
        { 'cache-control': "max-age='100'" },
        { 'cache-control': 'max-age=0', expires: at(100) },
        { 'cache-control': 'unknown="a, max-age=100", max-age=1' },
        { 'cache-control': 's-maxage=1, max-age=100' },
        { 'cache-control': 'max-age=100, s-maxage=1' },
        { 'cache-control': ['max-age=100', 's-maxage=1'] },
        ...['private', 'no-store', 'nO-StOrE', 'no-cache', 'No-CaChE', 'private="x"', 'no-cache="x"'].map(
          (directive) => ({ 'cache-control': `${directive}, max-age=100`, expires: at(100) }),
        ),
      ],
    ],
    '`Expires`': [
      [
        { expires: at(100) },
        { expires: at(100).toLowerCase() },
        { expires: 'Thursday, 01-Jan-26 00:01:40 GMT' },
        { expires: 'Thu Jan  1 00:01:40 2026' },
        { expires: at(100), date: at(0) },
      ],
      [
        { expires: at(-100) },
        { expires: at(0) },
        { expires: '0' },
        { expires: at(0), date: at(100) },
        { expires: at(100).replace('GMT', 'UTC') },
        { expires: at(100).replace('GMT', 'AEST') },
        { expires: 'Thu, 01 Jan 26 00:01:40 GMT' },
        { expires: at(100).replace(',', '') },
        { expires: at(100).replaceAll(' ', '  ') },
        { expires: at(100).replace(/ (?=Jan|2026)/g, '-') },
        { expires: at(100).replaceAll(':', '.') },
        { expires: at(100).replace(' 00:', ' 0:') },
        { expires: 'Thu, 99 Jan 2026 00:01:40 GMT' },
        { expires: [at(100), at(100)] },
      ],
    ],
    '`Age`': [
      [
        { 'cache-control': 'max-age=100', age: '60' },
        { 'cache-control': 'max-age=100', age: 'abc' },
        { 'cache-control': 'max-age=100', age: '-7200' },
        { 'cache-control': 'max-age=100', age: '0, 7200' },
        { 'cache-control': 'max-age=100', age: ['0', '0'] },
      ],
      [
        { 'cache-control': 'max-age=100', age: '7200' },
        { 'cache-control': 'max-age=100', age: '7200, 0' },
        ...[-1, 0, 1].map((more) => ({ 'cache-control': 'max-age=100', age: String(2 ** 31 + more) })),
        { expires: at(100), date: at(-100), age: '7200' },
        { expires: at(100), date: at(10), age: '7200' },
      ],
    ],
    '`Vary`': [
      [
        { 'cache-control': 'max-age=100', vary: 'X-Kind' },
        { 'cache-control': 'max-age=100', vary: 'x-kind, x-none,' },
      ],
      ['*', '*, *', ', *', '*, X-Kind', 'X-Kind, *', ['*', '*'], ['', '*']].map((vary) => ({
        'cache-control': 'max-age=100',
        vary,
      })),
    ],
    'other headers': [
      [],
      [
        { 'last-modified': at(-1e6) },
        { 'cache-control': 'public', 'last-modified': at(-1e6) },
        { pragma: 'no-cache', expires: at(100) },
        { 'cache-control': 'max-age=100', 'set-cookie': 'a=b' },
        { 'cache-control': 'max-age=100', 'content-range': 'bytes 0-1/2' },
      ],
    ],
  };

describe.each([
  ['a Node server', nodeSite],
  ['a Fetch-style handler', fetchSite],
])('before %s', (_kind, makeSite) => {
  const rows = Object.entries(responses).flatMap(([about, [reused, asked]]) => [
    ...reused.map((headers) => [about, true, headers] as const),
    ...asked.map((headers) => [about, false, headers] as const),
  ]);

  it.each(rows)('by %s: reused: %s, %j', async (_about, isReused, headers) => {
    const site = await makeSite(({ run }) => ({ headers, body: `run ${run}` }), { ttl: 0 });
    const question = { headers: { 'x-kind': 'a' } };
    await site.ask('/', question);
    site.clock.advance(3_000);
    expect((await site.ask('/', question)).text).toBe(isReused ? 'run 1' : 'run 2');
  });

  it.each([
    200, 203, 204, 301, 302, 303, 307, 308, 201, 202, 206, 299, 400, 403, 404, 410, 499, 500, 502, 503, 504,
    599,
  ])('by status: %i', async (status) => {
    const isStored = status < 400 && ![201, 202, 206, 299].includes(status);
    const made = await makeSite(() => ({ status, headers: { 'cache-control': 'max-age=100' } }), { ttl: 0 });
    const undated = await makeSite(() => ({ status, headers: { 'last-modified': at(-1e6) } }), { ttl: 0 });
    for (const site of [made, undated]) {
      await site.ask('/');
      expect((await site.ask('/')).status).toBe(status);
    }
    expect([made.runs(), undated.runs()]).toEqual([isStored ? 1 : 2, 2]);
    made.clock.advance(101_000);
    await made.ask('/');
    expect(made.runs()).toBe(isStored ? 2 : 3);
  });

  it('keeps what a response says, and when it was made, but not what was said of its connection', async () => {
    const kept = {
      ...{
        'test-header': 'a',
        'x-test-header': 'b',
        'content-foo': 'c',
        'content-location': '/d',
        etag: '"e"',
      },
      ...{
        'cache-control': 'max-age=100',
        expires: at(100),
        'content-type': 'text/plain',
        'x-frame-options': 'f',
      },
      ...{
        'content-encoding': 'x-none',
        'content-security-policy': "default-src 'none'",
        'content-md5': 'g',
      },
    };
    const ofConnection = {
      connection: 'x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=9',
      te: 'x',
      upgrade: 'x',
    };
    const { ask, clock, runs } = await makeSite(
      () => ({ headers: { ...kept, ...ofConnection, date: at(-2) }, body: 'text' }),
      { ttl: 0, downstream: 'as-is' },
    );
    await ask('/');
    clock.advance(30_000);
    const { headers, text } = await ask('/');
    expect([runs(), text]).toEqual([1, 'text']);
    expect(headers).toMatchObject({ ...kept, date: at(-2), age: '32', 'content-length': '4' });
    for (const name of ['x-hop', 'te', 'upgrade']) expect(headers).not.toHaveProperty(name);
    expect(headers['keep-alive']).not.toBe('timeout=9');
  });

  it('says of each answer when it was made, where the route does not', async () => {
    const { ask, clock } = await makeSite(() => ({ headers: { 'cache-control': 'max-age=100' } }));
    await ask('/');
    clock.advance(30_000);
    expect((await ask('/')).headers).toMatchObject({ date: at(0), age: '30' });
    clock.advance(30_000);
    expect((await ask('/')).headers).toMatchObject({ date: at(0), age: '60' });
  });

  it('goes by `If-None-Match` where `If-Modified-Since` says otherwise', async () => {
    const headers = { 'cache-control': 'max-age=100', etag: '"a"', 'last-modified': at(-100) };
    const { ask, runs } = await makeSite(() => ({ headers, body: 'text' }));
    await ask('/');
    const other = { 'if-none-match': '"b"', 'if-modified-since': at(0) };
    expect(await ask('/', { headers: other })).toMatchObject({ status: 200, text: 'text' });
    const same = { 'if-none-match': '"a"', 'if-modified-since': at(-200) };
    expect(await ask('/', { headers: same })).toMatchObject({ status: 304, headers: { etag: '"a"' } });
    expect(runs()).toBe(1);
  });
});
