/**
 * What RFC 9111 asks of a shared cache, case by case: the behaviours that the public tests of HTTP caches look at
 * (cache-tests.fyi), in cases of our own. `examples/http/README.md` has the table.
 */

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { closeSites, fetchSite, listen, nodeSite } from './site.js';

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
        // A year of two digits lies at most 50 years ahead.
        { expires: 'Monday, 01-Jan-50 00:00:00 GMT' },
        { expires: 'Wednesday, 01-Jan-75 00:00:00 GMT' },
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
        { expires: 'Saturday, 01-Jan-77 00:00:00 GMT' },
        { expires: 'Thursday, 01-Jan-25 00:01:40 GMT' },
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
        { 'cache-control': 'max-age=10000', age: ['3600', '3600'] },
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
        'clear-site-data': '"cache"',
        'public-key-pins': 'h',
        'x-xss-protection': '1',
        'x-content-foo': 'i',
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
      ...{ 'proxy-authenticate': 'x', 'proxy-authentication-info': 'x', 'proxy-authorization': 'x' },
      'proxy-connection': 'x',
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
    for (const name of Object.keys(ofConnection).slice(2)) {
      if (name !== 'keep-alive') expect(headers).not.toHaveProperty(name);
    }
    expect(headers).not.toHaveProperty('x-hop');
    expect(headers['keep-alive']).not.toBe('timeout=9');
  });

  it.each([
    ['max-age=2', true],
    ['max-age=2, must-revalidate', false],
    ['max-age=2, proxy-revalidate', false],
    ['max-age=2, no-cache', false],
    ['s-maxage=2', false],
  ])('with `%s` answers stale: %j', async (control, isStale) => {
    const windows = ['stale-while-revalidate=10', 'stale-if-error=20'];
    const headers = { 'cache-control': [control, ...windows].join(', ') };
    const { ask, clock, runs } = await makeSite(
      ({ run }) => (run === 1 ? { headers, body: 'stored' } : { status: 503, body: 'down' }),
      { ttl: 0 },
    );
    await ask('/');
    clock.advance(3_000);
    expect((await ask('/')).text).toBe(isStale ? 'stored' : 'down');
    await expect.poll(runs).toBe(2);
    // Past the one window, within the other.
    clock.advance(10_000);
    expect((await ask('/')).text).toBe(isStale ? 'stored' : 'down');
    await expect.poll(runs).toBe(3);
    clock.advance(10_000);
    expect((await ask('/')).text).toBe('down');
  });

  it.each(['no-store', 'no-store, max-age=0', 'no-store, must-understand'])(
    'answers nothing older once `%s` has come',
    async (control) => {
      const { ask, clock } = await makeSite(({ run }) => ({
        headers: { 'cache-control': run === 2 ? control : 'max-age=100' },
        body: `run ${run}`,
      }));
      await ask('/');
      expect((await ask('/', { headers: { 'cache-control': 'no-cache' } })).text).toBe('run 2');
      // For a while such a URL is left to its route anyway.
      clock.advance(20_000);
      expect((await ask('/')).text).toBe('run 3');
    },
  );

  it.each([200, 299])('stores no %i that says `no-store, must-understand`', async (status) => {
    const headers = { 'cache-control': 'no-store, must-understand, max-age=100' };
    const { ask, runs } = await makeSite(() => ({ status, headers }));
    for (let time = 0; time < 2; time++) await ask('/');
    expect(runs()).toBe(2);
  });

  it.each(['X-One', 'X-One, X-Two', 'x-three, X-TWO,x-one'])(
    'goes by each header of `Vary: %s`',
    async (vary) => {
      const { ask, runs } = await makeSite(({ run }) => ({
        headers: { 'cache-control': 'max-age=100', vary },
        body: `run ${run}`,
      }));
      const names = vary.toLowerCase().split(/, ?/).sort();
      const full = Object.fromEntries(names.map((name) => [name, 'a']));
      const others = names.flatMap((name) => {
        const { [name]: _, ...without } = full;
        return [without, { ...full, [name]: 'b' }, { ...full, [name]: '' }];
      });
      const texts = new Map<string, string>();
      for (const headers of [full, ...others]) {
        const { text } = await ask('/', { headers });
        expect([...texts.values()]).not.toContain(text);
        texts.set(JSON.stringify(headers), text);
      }
      for (const headers of [full, ...others])
        expect((await ask('/', { headers: { ...headers, 'x-else': 'a' } })).text).toBe(
          texts.get(JSON.stringify(headers)),
        );
      expect(runs()).toBe(1 + others.length);
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'])(
    'is voided by a %s that succeeds',
    async (method) => {
      let status = 500;
      const { ask } = await makeSite(({ run, method: asked }) => ({
        status: asked === 'GET' ? 200 : status,
        headers: { 'cache-control': 'max-age=100' },
        body: `run ${run}`,
      }));
      await ask('/a?b');
      await ask('/a?b', { method });
      expect((await ask('/a?b')).text).toBe('run 1');
      status = 200;
      await ask('/a?b', { method });
      expect((await ask('/a?b')).text).toBe('run 4');
    },
  );

  it('counts `Age` on from what the response came with, also beside `Expires`', async () => {
    for (const headers of [{ 'cache-control': 'max-age=100' }, { expires: at(100), date: at(0) }]) {
      const { ask, clock } = await makeSite(() => ({ headers: { ...headers, age: '30' } }), { ttl: 0 });
      await ask('/');
      clock.advance(3_000);
      expect((await ask('/')).headers).toMatchObject({ age: '33', date: at(0) });
    }
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

it('passes 1xx responses on, stores the final one, and answers with that alone', async () => {
  const { cache, pages } = await nodeSite(() => ({}));
  const port = await listen((request, response) => {
    void pages(request, response, () => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-early': '1' });
      response.writeHead(200, { 'cache-control': 'max-age=100' }).end('final');
    });
  });
  const ask = async () => {
    const early: number[] = [];
    const request = get({ port, host: '127.0.0.1', agent: false });
    request.on('information', ({ statusCode }) => early.push(statusCode));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return [early, text, response.headers.age, response.headers['x-early']];
  };
  expect(await ask()).toEqual([[102, 103], 'final', undefined, undefined]);
  expect(await ask()).toEqual([[], 'final', '0', undefined]);
  expect(cache.stats('http').loads).toBe(1);
});
