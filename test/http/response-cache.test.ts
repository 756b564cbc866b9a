/** The cache of responses on a bare Node server and around a Fetch-style handler. */

import { afterEach, describe, expect, it } from 'vitest';
import { responseCache } from '../../src/http/index.js';
import { CacheManager } from '../../src/index.js';
import { gate } from '../helper/gate.js';
import {
  type Answer,
  askServer,
  closeSites,
  fetchSite,
  listen,
  nodeSite,
  type Route,
  type SiteOptions,
} from './site.js';

afterEach(closeSites);

const counted =
  (answer: Answer = {}): Route =>
  ({ run }) => ({ body: `run ${run}`, ...answer });
const json = { 'content-type': 'application/json' };

describe.each([
  ['a Node server', nodeSite],
  ['a Fetch-style handler', fetchSite],
])('before %s', (_kind, makeSite) => {
  it('answers what it has stored, with its age, for as long as that is fresh', async () => {
    const site = await makeSite(({ run }) => ({
      headers: { ...json, 'x-own': 'kept', link: ['<a>; rel=a', '<b>; rel=b'] },
      body: JSON.stringify({ run, umlaut: 'ü' }),
    }));
    const first = await site.ask('/items?page=1');
    expect(JSON.parse(first.text)).toEqual({ run: 1, umlaut: 'ü' });
    site.clock.advance(59_000);
    const second = await site.ask('/items?page=1');
    expect(second).toMatchObject({
      ...{ status: 200, text: first.text },
      headers: {
        age: '59',
        'x-own': 'kept',
        'content-type': 'application/json',
        link: '<a>; rel=a, <b>; rel=b',
      },
    });
    site.clock.advance(2_000);
    expect(JSON.parse((await site.ask('/items?page=1')).text)).toMatchObject({ run: 2 });
    expect(site.cache.stats('http')).toMatchObject({ hits: 1, loads: 2, cacheErrors: 0 });
  });

  it('tells clients to ask each time, and answers those who have it with 304', async () => {
    const site = await makeSite(
      counted({ headers: { ...json, 'cache-control': 'max-age=60', expires: '0' } }),
    );
    await site.ask('/');
    const { headers } = await site.ask('/');
    expect(headers).toMatchObject({ 'cache-control': 'no-cache', etag: expect.stringMatching(/^W\/".+"$/) });
    expect(headers['expires']).toBeUndefined();
    const etag = String(headers['etag']);
    const again = await site.ask('/', { headers: { 'if-none-match': `"other", ${etag.slice(2)}` } });
    expect(again).toMatchObject({ status: 304, text: '', headers: { etag } });
    expect(again.headers['content-type']).toBeUndefined();
    expect((await site.ask('/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    expect(site.runs()).toBe(1);
  });

  it('passes on what the route said of keeping it where told to', async () => {
    const site = await makeSite(counted({ headers: { 'cache-control': 'public, max-age=60' } }), {
      downstream: 'as-is',
    });
    for (let time = 0; time < 2; time++)
      expect((await site.ask('/')).headers['cache-control']).toBe('public, max-age=60');
    expect(site.runs()).toBe(1);
  });

  it('answers the first client by what it has already, and stores the whole', async () => {
    const site = await makeSite(({ header, run }) => {
      expect(header('if-none-match')).toBeUndefined();
      expect(header('if-modified-since')).toBeUndefined();
      return { headers: { etag: '"1"', 'last-modified': new Date(0).toUTCString() }, body: `run ${run}` };
    });
    const first = await site.ask('/', { headers: { 'if-none-match': '"1"' } });
    expect(first).toMatchObject({ status: 304, text: '' });
    expect(await site.ask('/')).toMatchObject({ status: 200, text: 'run 1' });
    const since = { 'if-modified-since': new Date(1000).toUTCString() };
    expect((await site.ask('/', { headers: since })).status).toBe(304);
    expect(site.runs()).toBe(1);
  });

  it.each([
    ['an error of the client', { status: 404 }],
    ['an error of the server', { status: 500, headers: { 'cache-control': 'max-age=60' } }],
    ['private', { headers: { 'cache-control': 'Private, max-age=60' } }],
    ['private for some fields', { headers: { 'cache-control': 'max-age=60, private="x-user, x-other"' } }],
    ['no-store', { headers: { 'cache-control': 'max-age=60,NO-STORE' } }],
    ['no-cache', { headers: { 'cache-control': 'public, no-cache' } }],
    ['no-cache by Pragma', { headers: { pragma: 'no-cache' } }],
    ['a cookie', { headers: { 'cache-control': 'public, max-age=60', 'set-cookie': 'id=1' } }],
    ['what varies by everything', { headers: { vary: 'accept, *' } }],
    ['a part', { status: 206, headers: { 'content-range': 'bytes 0-4/9', 'cache-control': 'max-age=60' } }],
    ['a stream of events', { headers: { 'content-type': 'text/event-stream' } }],
    ['max-age=0', { headers: { 'cache-control': 'max-age=0' } }],
    ['an age beyond its lifetime', { headers: { 'cache-control': 'max-age=60', age: '60' } }],
    ['a redirect that says nothing', { status: 302, headers: { location: '/' } }],
  ] as const)('does not store %s', async (_, answer) => {
    const site = await makeSite(counted(answer as Answer));
    const texts = [await site.ask('/'), await site.ask('/')].map(({ text }) => text);
    expect(texts).toEqual(['run 1', 'run 2']);
    expect(site.cache.stats('http').entries).toBe(0);
  });

  it.each([
    ['Authorization', { authorization: 'Basic YTpi' }],
    ['a cookie', { cookie: 'session=1' }],
  ])('keeps what was made for a request with %s from others, and others’ from it', async (_, headers) => {
    const site = await makeSite(counted({ headers: { 'cache-control': 'max-age=60' } }));
    expect((await site.ask('/', { headers })).text).toBe('run 1');
    expect((await site.ask('/')).text).toBe('run 2');
    expect((await site.ask('/')).text).toBe('run 2');
    expect((await site.ask('/', { headers })).text).toBe('run 3');
    expect((await site.ask('/', { headers })).text).toBe('run 4');
  });

  it.each(['public, max-age=60', 's-maxage=60'])('shares `%s` with everybody', async (control) => {
    const site = await makeSite(counted({ headers: { 'cache-control': control } }));
    const asks = [{ cookie: 'a=1' }, { authorization: 'x' }, {}, { cookie: 'a=2' }];
    const texts = [];
    for (const headers of asks) texts.push((await site.ask('/', { headers: headers as never })).text);
    expect(texts).toEqual(Array(4).fill('run 1'));
  });

  it('keeps apart what varies, also where many ask at once', async () => {
    const site = await makeSite(({ header, run }) => ({
      headers: { vary: 'Accept-Language, accept' },
      body: `${run}: ${header('accept-language')} ${header('accept')}`,
    }));
    const languages = ['de', 'en', 'fr', undefined];
    const ask = (language: string | undefined) =>
      site.ask('/', {
        headers: { accept: 'x', ...(language !== undefined && { 'accept-language': language }) },
      });
    const all = await Promise.all([...languages, ...languages, ...languages].map(ask));
    for (const [at, { text }] of all.entries()) expect(text.slice(3)).toBe(`${languages[at % 4]} x`);
    expect(site.runs()).toBe(4);
    for (const language of languages)
      expect((await ask(language)).text).toMatch(new RegExp(`${language} x$`));
    expect(site.runs()).toBe(4);
    // A 304 is for the variant that the client has.
    const [german, english] = [await ask('de'), await ask('en')];
    expect(german.headers['etag']).not.toBe(english.headers['etag']);
    const etag = String(german.headers['etag']);
    const conditional = { accept: 'x', 'accept-language': 'en', 'if-none-match': etag };
    expect((await site.ask('/', { headers: conditional })).status).toBe(200);
  });

  it('learns step by step what a response varies by', async () => {
    const site = await makeSite(({ header, run }) => ({
      headers: { vary: header('x-a') === '1' ? 'x-a, x-b' : 'x-a' },
      body: `${run}: ${header('x-a')} ${header('x-b')}`,
    }));
    const asks = [
      { 'x-a': '0' },
      ...[
        { 'x-a': '1', 'x-b': '1' },
        { 'x-a': '1', 'x-b': '2' },
      ],
      ...[
        { 'x-a': '0', 'x-b': '7' },
        { 'x-a': '1', 'x-b': '2' },
        { 'x-a': '1', 'x-b': '1' },
      ],
    ];
    const texts = [];
    for (const headers of asks) texts.push((await site.ask('/', { headers: headers as never })).text);
    expect(texts).toEqual(['1: 0 undefined', '2: 1 1', '3: 1 2', '1: 0 undefined', '3: 1 2', '2: 1 1']);
  });

  it('runs the route once for many who ask at once', async () => {
    const { promise, open } = gate();
    const site = await makeSite(async ({ run }) => {
      await promise;
      return { body: `run ${run}` };
    });
    const asked = Array.from({ length: 20 }, () => site.ask('/'));
    await expect.poll(site.runs).toBe(1);
    open();
    expect(new Set((await Promise.all(asked)).map(({ text }) => text))).toEqual(new Set(['run 1']));
  });

  it('lets all run the route at once where its response is for one alone, and waits for none of them next time', async () => {
    const { promise, open } = gate();
    const site = await makeSite(async ({ run }) => {
      if (run > 5) await promise;
      return { headers: { 'cache-control': 'private' }, body: `run ${run}` };
    });
    const texts = await Promise.all(Array.from({ length: 5 }, () => site.ask('/')));
    expect(new Set(texts.map(({ text }) => text)).size).toBe(5);
    const asked = Array.from({ length: 5 }, () => site.ask('/'));
    await expect.poll(site.runs).toBe(10);
    open();
    await Promise.all(asked);
  });

  it('answers HEAD from a stored GET, and does not store its own', async () => {
    const site = await makeSite(counted({ headers: json }));
    expect(await site.ask('/', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    expect((await site.ask('/')).text).toBe('run 2');
    const head = await site.ask('/', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '5', age: '0' } });
    const etag = String(head.headers['etag']);
    expect((await site.ask('/', { method: 'HEAD', headers: { 'if-none-match': etag } })).status).toBe(304);
    expect(site.runs()).toBe(2);
  });

  it.each([
    ['ranges', { headers: { range: 'bytes=0-1' } }],
    ['ranges with a condition', { headers: { 'if-range': '"1"', range: 'bytes=0-1' } }],
    ['what is another method by a header', { headers: { 'x-http-method-override': 'DELETE' } }],
    ['what has another URL by a header', { headers: { 'x-original-url': '/admin' } }],
    ['what says `no-store`', { headers: { 'cache-control': 'no-store' } }],
    ['OPTIONS', { method: 'OPTIONS' }],
  ])('leaves %s to the route', async (_, question) => {
    const site = await makeSite(counted());
    await site.ask('/');
    expect((await site.ask('/', question)).text).toBe('run 2');
    expect((await site.ask('/')).text).toBe('run 1');
  });

  it('neither answers nor stores other methods, which void what is stored of their path', async () => {
    const site = await makeSite(({ method, run, target }) => ({
      status: target.includes('fails') ? 422 : 200,
      headers: { 'cache-control': 'public, max-age=60' },
      body: `${method} ${run}`,
    }));
    await site.ask('/items?page=1');
    await site.ask('/others');
    expect((await site.ask('/items?fails', { method: 'POST', body: 'x' })).status).toBe(422);
    expect((await site.ask('/items?page=1')).text).toBe('GET 1');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { text } = await site.ask('/items', { method, ...(method !== 'DELETE' && { body: 'x' }) });
      expect(text).toMatch(method);
      const { text: after } = await site.ask('/items?page=1');
      expect(Number(after.slice(4))).toBe(site.runs());
    }
    expect((await site.ask('/others')).text).toBe('GET 2');
  });

  it('is invalidated by URL, by tag, also in mid-response', async () => {
    let held = gate();
    held.open();
    const site = await makeSite(
      async ({ run }) => {
        await held.promise;
        return { body: `run ${run}` };
      },
      { tags: ({ target }) => [`item:${target.slice(1)}`] },
    );
    await site.ask('/7', { headers: { host: 'site.test' } });
    await site.cache.invalidateTags(['item:7']);
    expect((await site.ask('/7', { headers: { host: 'site.test' } })).text).toBe('run 2');
    await site.pages.invalidate('http://site.test/7');
    expect((await site.ask('/7', { headers: { host: 'site.test' } })).text).toBe('run 3');
    held = gate();
    const late = site.ask('/8');
    await expect.poll(site.runs).toBe(4);
    await site.cache.invalidateTags(['item:8']);
    held.open();
    expect((await late).text).toBe('run 4');
    expect((await site.ask('/8')).text).toBe('run 5');
    expect((await site.ask('/8')).text).toBe('run 5');
  });

  it('keeps hosts, schemes and forwarded hosts apart, and every difference of a URL', async () => {
    const site = await makeSite(counted());
    const targets = [
      '/a',
      '/a/',
      '/A',
      '/a?',
      '/a?x=1&y=2',
      '/a?y=2&x=1',
      '/a?x=1&x=2',
      '/a?x=2&x=1',
      '/a?x=%31',
      '/%61',
    ];
    const questions = [
      ...targets.map((target) => [target, {}] as const),
      ...['a.test', 'b.test', 'a.test:81'].map((host) => ['/a', { host }] as const),
      ['/a', { 'x-forwarded-host': 'evil.test' }] as const,
      ['/a', { 'x-forwarded-proto': 'https' }] as const,
      ['/a', { forwarded: 'for=1;host=evil.test' }] as const,
    ];
    const ask = () =>
      Promise.all(questions.map(async ([target, headers]) => (await site.ask(target, { headers })).text));
    const first = await ask();
    expect(new Set(first).size).toBe(questions.length);
    expect(await ask()).toEqual(first);
    // Who forwarded it makes no difference.
    await site.ask('/a', { headers: { forwarded: 'for=2;host=evil.test' } });
    expect(site.runs()).toBe(questions.length);
  });

  it('goes by the chosen query parameters, and lets the route see no others', async () => {
    const site = await makeSite(({ target, run }) => ({ body: `${run} ${target}` }), {
      query: ['page', 'filter'],
    });
    expect((await site.ask('/a?utm=1&page=2&x=%22')).text).toBe('1 /a?page=2');
    expect((await site.ask('/a?page=2&utm=2')).text).toBe('1 /a?page=2');
    expect((await site.ask('/a?page=3&page=2')).text).toBe('2 /a?page=3&page=2');
    expect((await site.ask('/a?page=2&page=3')).text).toBe('3 /a?page=2&page=3');
    expect((await site.ask('/a?filter[b]=1&%70age=2')).text).toBe('4 /a?%70age=2&filter[b]=1');
    expect((await site.ask('/a?utm=1')).text).toBe('5 /a');
    expect((await site.ask('/a?')).text).toBe('5 /a');
  });

  it('goes by headers that a route reads without saying so', async () => {
    const site = await makeSite(({ header, run }) => ({ body: `${run} ${header('x-tenant')}` }), {
      headers: ['X-Tenant'],
    });
    const ask = async (tenant: string) => (await site.ask('/', { headers: { 'x-tenant': tenant } })).text;
    expect([await ask('a'), await ask('b'), await ask('a')]).toEqual(['1 a', '2 b', '1 a']);
  });

  it('heeds what a client asks of caches, or not', async () => {
    for (const clientDirectives of ['heed', 'ignore'] as const) {
      const site = await makeSite(counted(), { clientDirectives });
      const ask = (headers: Record<string, string>) => site.ask('/', { headers });
      expect((await ask({ 'cache-control': 'only-if-cached' })).status).toBe(
        clientDirectives === 'heed' ? 504 : 200,
      );
      await ask({});
      site.clock.advance(10_000);
      const texts = [];
      for (const control of ['max-age=20', 'max-age=5', 'min-fresh=55', 'no-cache'])
        texts.push((await ask({ 'cache-control': control })).text);
      texts.push((await ask({ pragma: 'no-cache' })).text, (await ask({})).text);
      const heeded = ['run 1', 'run 2', 'run 2', 'run 3', 'run 4', 'run 4'];
      expect(texts).toEqual(clientDirectives === 'heed' ? heeded : Array(6).fill('run 1'));
    }
  });

  it('stores bodies up to a limit, in pieces or at once, text or bytes', async () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => at);
    async function* pieces(count: number) {
      for (let at = 0; at < count; at++) {
        yield Buffer.alloc(100, at);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const site = await makeSite(
      ({ target }) => ({
        body:
          target === '/bytes'
            ? bytes
            : target === '/small'
              ? pieces(10)
              : target === '/large'
                ? pieces(11)
                : 'ß'.repeat(501),
      }),
      { maxBodyBytes: 1_000 },
    );
    const sizes: Record<string, number> = {};
    for (const target of ['/bytes', '/small', '/large', '/text']) {
      const first = await site.ask(target);
      const before = site.runs();
      const second = await site.ask(target);
      expect(second.text).toBe(first.text);
      sizes[target] = site.runs() - before;
    }
    expect(sizes).toEqual({ '/bytes': 0, '/small': 0, '/large': 1, '/text': 1 });
  });

  it('stores nothing of a response whose client goes away, nor of one that ends before its end', async () => {
    const { promise, open } = gate();
    async function* pieces() {
      yield 'a'.repeat(1000);
      await promise;
      yield 'b';
    }
    async function* broken() {
      yield 'a';
      throw new Error('broken');
    }
    const site = await makeSite(({ run, target }) => {
      if (target === '/broken') return { body: run % 2 === 1 ? broken() : 'whole' };
      if (target === '/short') return { headers: { 'content-length': '9' }, body: run > 0 ? broken() : '' };
      return { body: run === 1 ? pieces() : 'whole' };
    });
    await site.leave('/');
    open();
    expect((await site.ask('/')).text).toBe('whole');
    expect((await site.ask('/')).text).toBe('whole');
    expect(site.runs()).toBe(2);
    await site.ask('/broken').catch(() => undefined);
    expect((await site.ask('/broken')).text).toBe('whole');
    await site.ask('/short').catch(() => undefined);
    expect(site.cache.stats('http').entries).toBe(2);
  });

  it('gives a client that waits for another the whole response where that one goes away', async () => {
    const held = gate();
    const site = await makeSite(async ({ run }) => {
      async function* pieces() {
        yield 'a'.repeat(1000);
        await held.promise;
        yield 'b';
      }
      return { body: run === 1 ? pieces() : `run ${run}` };
    });
    const leaving = site.leave('/');
    await expect.poll(site.runs).toBe(1);
    const waiting = Promise.all([site.ask('/'), site.ask('/'), site.ask('/')]);
    await leaving;
    expect(new Set((await waiting).map(({ text }) => text))).toEqual(new Set(['run 2']));
    held.open();
  });

  it('answers stale while it is renewed, once for all who ask', async () => {
    let held = gate();
    held.open();
    const site = await makeSite(async ({ run }) => {
      await held.promise;
      return { headers: { 'cache-control': 'max-age=10, stale-while-revalidate=20' }, body: `run ${run}` };
    });
    await site.ask('/');
    site.clock.advance(15_000);
    held = gate();
    const stale = await Promise.all([site.ask('/'), site.ask('/'), site.ask('/')]);
    expect(stale.map(({ text }) => text)).toEqual(Array(3).fill('run 1'));
    await expect.poll(site.runs).toBe(2);
    held.open();
    await expect.poll(async () => (await site.ask('/')).text).toBe('run 2');
    expect(site.runs()).toBe(2);
    site.clock.advance(31_000);
    expect((await site.ask('/')).text).toBe('run 3');
  });

  it('goes on with the stale response where its renewal fails, then asks the route', async () => {
    const site = await makeSite(({ run }) => {
      if (run > 1) return { status: 503, body: 'down' };
      return { headers: { 'cache-control': 'max-age=10, stale-while-revalidate=20' }, body: 'up' };
    });
    await site.ask('/');
    site.clock.advance(15_000);
    expect((await site.ask('/')).text).toBe('up');
    await expect.poll(site.runs).toBe(2);
    expect((await site.ask('/')).text).toBe('up');
    site.clock.advance(16_000);
    expect(await site.ask('/')).toMatchObject({ status: 503, text: 'down' });
  });

  it('answers stale in place of an error, for as long as the response allows', async () => {
    const site = await makeSite(({ run }) => {
      if (run > 1) return { status: 503, headers: { 'x-error': 'yes' }, body: 'down' };
      return { headers: { 'cache-control': 'max-age=10, stale-if-error=20' }, body: 'up' };
    });
    await site.ask('/');
    site.clock.advance(15_000);
    const all = await Promise.all([site.ask('/'), site.ask('/'), site.ask('/')]);
    for (const got of all) expect(got).toMatchObject({ status: 200, text: 'up', headers: { age: '15' } });
    expect(all.every(({ headers }) => headers['x-error'] === undefined)).toBe(true);
    site.clock.advance(16_000);
    expect(await site.ask('/')).toMatchObject({ status: 503, text: 'down' });
  });

  it('forgets what is stale once the route says that it may not be stored', async () => {
    const site = await makeSite(({ run }) => ({
      headers: { 'cache-control': run === 1 ? 'max-age=10, stale-while-revalidate=60' : 'private' },
      body: `run ${run}`,
    }));
    await site.ask('/');
    site.clock.advance(15_000);
    expect((await site.ask('/')).text).toBe('run 1');
    await expect.poll(async () => (await site.ask('/')).text).not.toBe('run 1');
  });

  it('waits for another client for a while only', async () => {
    const held = gate();
    const site = await makeSite(async ({ run }) => {
      if (run === 1) await held.promise;
      return { body: `run ${run}` };
    });
    const hung = site.ask('/');
    await expect.poll(site.runs).toBe(1);
    const waiting = site.ask('/');
    await expect
      .poll(() => {
        site.clock.advance(10_000);
        return site.runs();
      })
      .toBe(2);
    expect((await waiting).text).toBe('run 2');
    held.open();
    await hung;
  });

  it.each<[string, SiteOptions]>([
    ['is closed', { cache: closed() }],
    ['takes too long', { cache: new CacheManager({ hardTimeout: 1 }) }],
    ['stores nothing that large', { cache: new CacheManager({ maxEntryBytes: 1 }) }],
    [
      'has guards of its own',
      {
        cache: new CacheManager({ staleWhileRevalidate: '1h', refreshAhead: true, cacheErrors: () => '1h' }),
      },
    ],
  ])('runs the route where the cache %s', async (_, options) => {
    const site = await makeSite(async ({ run }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { body: `run ${run}` };
    }, options);
    const texts = await Promise.all([site.ask('/'), site.ask('/'), site.ask('/b')]);
    for (const { status, text } of texts) expect([status, text.slice(0, 4)]).toEqual([200, 'run ']);
  });

  it('tells where a response came from', async () => {
    const site = await makeSite(counted(), { cacheStatus: true });
    const statuses = [await site.ask('/'), await site.ask('/')].map(({ headers }) => headers['cache-status']);
    expect(statuses).toEqual(['toolstash; fwd=miss; stored', 'toolstash; hit']);
  });

  it('is not hurt by a function for tags that throws', async () => {
    const site = await makeSite(counted(), {
      tags: () => {
        throw new Error('tags');
      },
    });
    expect((await site.ask('/')).text).toBe('run 1');
    expect((await site.ask('/')).text).toBe('run 2');
  });
});

function closed(): CacheManager {
  const cache = new CacheManager();
  void cache.close();
  return cache;
}

it.each([
  [{}, /Expected `cache` to be an object with a method `getOrSet\(\)`, got `undefined`/],
  [{ cache: new CacheManager(), ttl: '5 m' }, /`ttl`/],
  [{ cache: new CacheManager(), quary: [] }, /Unknown option `quary` of responseCache: did you mean `query`/],
  [{ cache: new CacheManager(), query: 'page' }, /Expected `query` to be a list of names, got `'page'`/],
  [{ cache: new CacheManager(), downstream: 'public' }, /Expected `downstream` to be 'no-cache' or 'as-is'/],
  [{ cache: new CacheManager(), maxBodyBytes: 0 }, /Expected `maxBodyBytes` to be a positive integer/],
])('refuses %o', (options, message) => {
  expect(() => responseCache(options as never)).toThrow(message);
});

it('answers what memory has fresh within the call, whatever it varies by, and lets the rest go its road', async () => {
  const cache = new CacheManager();
  const pages = responseCache({ cache, ttl: '1m' });
  const endedAtOnce: boolean[] = [];
  let runs = 0;
  const port = await listen((request, response) => {
    void pages(request, response, () => {
      const { accept = '', cookie } = request.headers;
      if (cookie !== undefined) response.setHeader('set-cookie', cookie);
      response.setHeader('vary', 'accept');
      setImmediate(() => response.end(Buffer.from(`${accept}\xff${++runs}`, 'latin1')));
    });
    endedAtOnce.push(response.writableEnded);
  });
  const asked: [headers: Record<string, string>, isAtOnce: boolean, status: number][] = [
    [{ accept: 'a' }, false, 200],
    [{ accept: 'b' }, false, 200],
    [{ accept: 'a' }, true, 200],
    [{ accept: 'b' }, true, 200],
    [{ accept: 'b', 'if-none-match': '*' }, true, 304],
    [{ accept: 'a', cookie: 'a=1' }, false, 200],
    [{ accept: 'a', authorization: 'x' }, false, 200],
    [{ accept: 'a', 'cache-control': 'no-cache' }, false, 200],
    [{ accept: 'a', 'cache-control': 'max-age=60' }, true, 200],
    [{ accept: 'a', range: 'bytes=0-1' }, false, 200],
    [{}, false, 200],
  ];
  const got: unknown[] = [];
  for (const [headers] of asked) got.push((await askServer(port, '/', { headers })).status);
  expect(got).toEqual(asked.map(([, , status]) => status));
  expect(endedAtOnce).toEqual(asked.map(([, isAtOnce]) => isAtOnce));
  expect(runs).toBe(7);
  await cache.close();
  expect((await askServer(port, '/', { headers: { accept: 'a' } })).status).toBe(200);
  expect(runs).toBe(8);
});

it('sets headers one by one where others have set some, or wait for the head', async () => {
  const cache = new CacheManager();
  const pages = responseCache({ cache, ttl: '1m' });
  const port = await listen((request, response) => {
    response.setHeader('X-Before', 'set');
    // As `on-headers` did for long: it takes a list for one of pairs, and sets what it finds.
    const original = response.writeHead.bind(response) as (status: number) => typeof response;
    response.writeHead = ((status: number, given?: Record<string, string> | string[][]) => {
      if (Array.isArray(given)) for (const [name, value] of given) response.setHeader(name!, value!);
      else for (const name in given) response.setHeader(name, given[name]!);
      response.setHeader('x-seen', String(response.getHeader('content-type')));
      response.appendHeader('link', '<c>; rel=c');
      return original(status);
    }) as typeof response.writeHead;
    void pages(request, response, () => {
      response
        .setHeader('content-type', 'text/plain')
        .setHeader('link', ['<a>; rel=a', '<b>; rel=b'])
        .end('text');
    });
  });
  await askServer(port, '/');
  for (let at = 0; at < 4; at++) {
    const { status, headers, text } = await askServer(port, '/');
    expect({ status, text, ...headers }).toMatchObject({
      ...{ status: 200, text: 'text', 'content-type': 'text/plain', age: '0', 'x-before': 'set' },
      ...{ 'x-seen': 'text/plain', link: '<a>; rel=a, <b>; rel=b, <c>; rel=c' },
    });
  }
  await cache.close();
});

it.each(['the response', 'its prototype'])('leaves the body to an `end` of others, on %s', async (place) => {
  const cache = new CacheManager();
  const pages = responseCache({ cache, ttl: '1m' });
  const port = await listen((request, response) => {
    const { end } = response;
    if (place === 'its prototype')
      Object.setPrototypeOf(response, Object.create(Object.getPrototypeOf(response)));
    const owner: object = place === 'the response' ? response : Object.getPrototypeOf(response);
    Object.assign(owner, {
      end(chunk: string | Uint8Array, encoding: BufferEncoding) {
        // Same lengths, as the head is written: two letters for one that takes two bytes, and one byte for another.
        if (typeof chunk === 'string') return end.call(response, chunk.replace('NA', 'Ł'), encoding);
        chunk[0]! += 1;
        return end.call(response, chunk, encoding);
      },
    });
    void pages(request, response, () => {
      const isText = request.url === '/text';
      response.setHeader('content-type', isText ? 'text/plain' : 'application/octet-stream');
      response.end(isText ? 'NA' : Buffer.from('a'));
    });
  });
  for (let at = 0; at < 4; at++) {
    const got = [await askServer(port, '/text'), await askServer(port, '/bytes')];
    expect(got.map(({ text }) => text)).toEqual(['Ł', 'b']);
  }
  await cache.close();
});
