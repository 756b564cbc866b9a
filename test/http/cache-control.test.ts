/** Caching headers by path, method and status, on a bare Node server and around a Fetch-style handler. */

import { afterEach, describe, expect, it } from 'vitest';
import { assetRules, type CacheControlRule, cacheControl } from '../../src/http/index.js';
import { settle } from '../helper/gate.js';
import { askServer, closeSites, listen } from './site.js';

afterEach(closeSites);

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly status?: number;
  readonly own?: Readonly<Record<string, string>>;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

async function byNode({ path, method, status = 200, own = {} }: Asked, rules?: readonly CacheControlRule[]) {
  const policy = cacheControl(rules);
  const port = await listen((request, response) => {
    policy(request, response, () => response.writeHead(status, own).end());
  });
  return (await askServer(port, path, { ...(method !== undefined && { method }) })).headers as Headers;
}

async function byFetch({ path, method, status = 200, own = {} }: Asked, rules?: readonly CacheControlRule[]) {
  const handler = cacheControl(rules).fetch(() => new Response(null, { status, headers: own }));
  const response = await handler(new Request(`http://site.test${path}`, { method: method ?? 'GET' }));
  return Object.fromEntries(response.headers) as Headers;
}

const long = 'public, max-age=2592000, immutable';
const none = 'no-cache, no-store, must-revalidate, max-age=0';

describe.each([
  ['a Node server', byNode],
  ['a Fetch-style handler', byFetch],
])('on %s', (kind, headersOf) => {
  it.each<[string, Asked]>([
    ['an asset', { path: '/assets/app.1f3.js' }],
    ['one with a query', { path: '/assets/app.js?v=1' }],
    ['one in a folder', { path: '/assets/img/a%20b.svg' }],
    ['one that the client has', { path: '/assets/app.js', status: 304 }],
    ['a part of one', { path: '/assets/app.js', status: 206 }],
    ['its head', { path: '/assets/app.js', method: 'HEAD' }],
  ])('lets everybody keep %s', async (_, asked) => {
    const headers = await headersOf(asked);
    expect(headers['cache-control']).toBe(long);
    expect(headers).not.toHaveProperty('pragma');
    expect(headers).not.toHaveProperty('expires');
  });

  it.each<[string, Asked]>([
    ['a page', { path: '/' }],
    ['a folder of a name that begins alike', { path: '/assets-x/app.js' }],
    ['the folder’s name without its slash', { path: '/assets' }],
    ['a folder of that name elsewhere', { path: '/en/assets/app.js' }],
    ['an asset that is not there', { path: '/assets/app.js', status: 404 }],
    ['an asset that moved', { path: '/assets/app.js', status: 302 }],
    ['a server that fails', { path: '/assets/app.js', status: 500 }],
    ['a write to an asset', { path: '/assets/app.js', method: 'POST' }],
    ['a path that leads out in code', { path: '/assets/%2e%2e/account' }],
    ['a path that leads out by code in code', { path: '/assets/%252e%252e/account' }],
    ['a path that leads out by an encoded slash', { path: '/assets/..%2faccount' }],
    ['a path that leads out by an encoded backslash', { path: '/assets/..%5caccount' }],
    ['a path that leads out by a parameter', { path: '/assets/..;a/account' }],
    ['a path that leads out by a control character', { path: '/assets/.%09./account' }],
    ['an asset that comes with a cookie', { path: '/assets/app.js', own: { 'set-cookie': 'id=1' } }],
  ])('lets nobody keep %s', async (_, asked) => {
    const headers = await headersOf(asked);
    expect(headers).toMatchObject({ 'cache-control': none, pragma: 'no-cache', expires: '0' });
  });

  // A `Request` of Fetch has resolved such a path before anybody sees it.
  it.runIf(kind === 'a Node server')('lets nobody keep a path that leads out as it is', async () => {
    for (const path of ['/assets/../account', '/assets/./a', '/assets/a\\..\\b'])
      expect((await headersOf({ path }))['cache-control']).toBe(none);
  });

  it.each([
    { 'cache-control': 'max-age=5' },
    { 'Cache-Control': 'private' },
    { expires: new Date(0).toUTCString() },
  ])('leaves a route’s own header as it is: %o', async (own) => {
    const headers = await headersOf({ path: '/assets/app.js', own: own as never });
    expect(headers['cache-control']).toBe(
      Object.values(own)[0]?.includes('GMT') ? undefined : Object.values(own)[0],
    );
    expect(headers).not.toHaveProperty('pragma');
  });

  it('goes by the first rule that fits', async () => {
    const rules: readonly CacheControlRule[] = [
      { path: '/exact', headers: { 'Cache-Control': 'max-age=1' } },
      { path: /\.svg$/g, status: [200], headers: { 'Cache-Control': 'max-age=2' } },
      { path: (path) => path.length > 20, methods: ['get'], headers: { 'Cache-Control': 'max-age=3' } },
      ...assetRules('/static/').slice(0, 1),
    ];
    const control = async (asked: Asked) => (await headersOf(asked, rules))['cache-control'];
    expect(await control({ path: '/exact?x' })).toBe('max-age=1');
    expect(await control({ path: '/exact/' })).toBeUndefined();
    for (let time = 0; time < 2; time++) expect(await control({ path: '/a.svg' })).toBe('max-age=2');
    expect(await control({ path: '/a.svg', status: 201 })).toBeUndefined();
    expect(await control({ path: `/${'a'.repeat(20)}` })).toBe('max-age=3');
    expect(await control({ path: `/${'a'.repeat(20)}`, method: 'POST' })).toBeUndefined();
    expect(await control({ path: '/static/a' })).toBe(long);
  });

  const hidden: readonly CacheControlRule[] = [
    { path: '/mine/', headers: { 'Cache-Control': 'no-store' } },
    { path: '/me', headers: { 'Cache-Control': 'private' } },
    { headers: { 'Cache-Control': 'public' } },
  ];
  it.each([
    ...['/mine/a', '/mine/%2e/a', '/mine/a%2fb', '/mine/100%25', '/%6dine/a', '/x/..%2fmine/a', '/MINE/a'],
    ...['//mine/a', '/x//mine/a', '/mine', '/mine/..;/a', '/me', '/me/', '/ME', '/%6de', '/me;a=b'],
  ])('lets nobody keep %s, which may be read as what a rule forbids to keep', async (path) => {
    expect((await headersOf({ path }, hidden))['cache-control']).toMatch(/^(?:no-store|private)$/);
  });

  it('lets others keep what no rule can have meant', async () => {
    for (const path of ['/', '/a', '/a%20b', '/min', '/mines/a', '/a/mine/b', '/meet', '/%C3%A4'])
      expect((await headersOf({ path }, hidden))['cache-control']).toBe('public');
  });

  it.each(['CDN-Cache-Control', 'Vercel-CDN-Cache-Control', 'Surrogate-Control', 'Edge-Control'])(
    'takes a rule by whose %s some caches may keep a response for one that lets others keep it',
    async (name) => {
      const rules: readonly CacheControlRule[] = [
        { path: '/shop/', headers: { 'Cache-Control': 'no-cache', [name]: 'max-age=60' } },
        { headers: { 'Cache-Control': 'private', [name]: 'no-store' } },
      ];
      const control = async (asked: Asked) => (await headersOf(asked, rules))[name.toLowerCase()];
      expect(await control({ path: '/shop/a' })).toBe('max-age=60');
      expect(await control({ path: '/shop/a', own: { 'set-cookie': 'id=1' } })).toBe('no-store');
      expect(await control({ path: '/shop/..%2fmine' })).toBe('no-store');
    },
  );

  it('takes what a search has not found for a path that does not fit', async () => {
    const path = ((given: string) => given.match(/^\/mine/)) as never;
    const rules = [{ path, headers: { 'Cache-Control': 'private' } }, ...assetRules()];
    expect((await headersOf({ path: '/mine' }, rules))['cache-control']).toBe('private');
    expect((await headersOf({ path: '/assets/a.js' }, rules))['cache-control']).toBe(long);
  });

  it('takes a function that fails, or answers late, for the one that lets less be kept', async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.message);
    process.on('warning', note);
    const failing = () => {
      throw new Error('broken');
    };
    const late = (async () => true) as never;
    const rules: readonly CacheControlRule[] = [
      { path: failing, headers: { 'Cache-Control': 'public' } },
      { path: late, headers: { 'Cache-Control': 'max-age=5' } },
      { status: failing, headers: { 'Cache-Control': 'private' } },
    ];
    for (let time = 0; time < 2; time++)
      expect((await headersOf({ path: '/' }, rules))['cache-control']).toBe('private');
    await settle();
    process.off('warning', note);
    expect(warnings).toEqual([
      '`rules[0].path` of cacheControl failed: broken',
      expect.stringMatching(/^`rules\[1\].path` of cacheControl failed: .* got a promise/),
    ]);
  });
});

it('leaves what was answered by an upgrade or in pieces as it is', async () => {
  const policy = cacheControl();
  const port = await listen((request, response) => {
    policy(request, response, () => {
      response.setHeader('x-own', '1');
      response.write('a');
      response.end('b');
    });
  });
  const got = await askServer(port, '/assets/a');
  expect(got).toMatchObject({ text: 'ab', headers: { 'cache-control': long, 'x-own': '1' } });
});

it.each<[unknown, RegExp]>([
  [{}, /Expected `rules` to be a list of rules, got `{}`/],
  [[{ path: 'assets/', headers: {} }], /Expected `rules\[0\].path` to begin with `\/`, got `'assets\/'`/],
  [[{ path: 1, headers: {} }], /Expected `rules\[0\].path` to be a function, got `1`/],
  [
    [{ headers: { 'Cache-Control': 5 } }],
    /Expected `rules\[0\].headers.Cache-Control` to be a string, got `5`/,
  ],
  [[{ headers: { 'x y': 'z' } }], /x y/],
  [[{ path: '/' }], /Expected `rules\[0\].headers` to be an object, got `undefined`/],
  [[{ methods: 'GET', headers: {} }], /Expected `rules\[0\].methods` to be a list/],
  [[{ methods: [], headers: {} }], /Expected `rules\[0\].methods` to be a list/],
  [[{ methods: [5], headers: {} }], /Expected `rules\[0\].methods\[0\]` to be a string, got `5`/],
  [[{ methods: ['GET HEAD'], headers: {} }], /to be a method of HTTP, got `'GET HEAD'`/],
  [[{ status: [], headers: {} }], /Expected `rules\[0\].status` to be a list/],
  [[{ status: ['200'], headers: {} }], /Expected `rules\[0\].status\[0\]` to be an integer from 100 to 999/],
  [[{ path: '/a?b', headers: {} }], /Expected `rules\[0\].path` to be a path as clients send it/],
  [[{ path: '/ä/', headers: {} }], /Expected `rules\[0\].path` to be a path as clients send it/],
  [[{ headers: new Map([['a', 'b']]) }], /Expected `rules\[0\].headers` to be an object of names and values/],
  [[{ paths: '/', headers: {} }], /Unknown field `paths` of rules\[0\]: did you mean `path`\?/],
])('refuses the rules %o', (rules, message) => {
  expect(() => cacheControl(rules as never)).toThrow(message);
});

it.each(['assets', '/assets', 'assets/', 5])('refuses the folder %o', (folder) => {
  expect(() => assetRules(folder as string)).toThrow(/`folder`/);
});
