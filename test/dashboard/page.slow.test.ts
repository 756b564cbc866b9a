/** The page in a real browser. */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { stillFigures } from '../../src/dashboard/dashboard.js';
import { type Dashboard, dashboard } from '../../src/dashboard/index.js';
import { staticPage } from '../../src/dashboard/static-page.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { startBrowser } from '../helper/browser.js';

let browser: Browser;
let page: Page;
let server: Server;
let board: Dashboard;
let cache: CacheManager;
let problems: string[];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

const hostile = '<img src=x onerror="globalThis.broken=1">"><script>globalThis.broken=1</script>';

/** All characters that one may have, which a query would read otherwise. */
const token = String.fromCharCode(...Array.from({ length: 94 }, (_, at) => 33 + at)).replace(/["<>`]/g, '');

beforeEach(async () => {
  cache = new CacheManager({ keepParams: true, maxSize: 100 });
  board = dashboard(cache, { interval: 100, title: hostile, token });
  server = createServer(board.handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin()) && !request.url().startsWith('data:'))
      problems.push(request.url());
  });
});
afterEach(async () => {
  await page.context().close();
  board.close();
  server.close();
  server.closeAllConnections();
  await cache.close();
});

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const open = () => page.goto(`${origin()}/#token=${board.token}`);
const card = (name: string) => page.locator(`[data-figure="${name}"]`);

async function work(): Promise<void> {
  for (const method of ['search', 'get_order', hostile])
    for (let id = 0; id < 20; id += 1)
      for (let repeat = 0; repeat <= id % 4; repeat += 1)
        await cache.getOrSet(method, { id, text: hostile }, () => ({ id, found: hostile }), {
          ttl: '30m',
          tags: ['all'],
        });
}

test('shows what stats() says, of all and of each method, as it changes', async () => {
  await work();
  await open();
  const shows = async () => {
    const { hits, misses, entries, hitRate } = cache.stats();
    await expect.poll(() => card('Hits').textContent()).toBe(String(hits));
    expect(await card('Misses').textContent()).toBe(String(misses));
    expect(await card('Entries in memory').textContent()).toBe(String(entries));
    expect(await card('Hit rate').textContent()).toBe(`${(hitRate * 100).toFixed(1)} %`);
  };
  await shows();
  const row = page.locator('#methods tbody tr').filter({ hasText: 'get_order' });
  const own = cache.stats('get_order');
  expect(await row.locator('td').nth(1).textContent()).toBe(String(own.hits + own.misses));
  expect(await row.locator('td').nth(6).textContent()).toBe(String(own.entries));
  expect(
    await page.locator('#due tr').filter({ hasText: 'within an hour' }).locator('td').nth(1).textContent(),
  ).toBe('60');
  for (let more = 0; more < 7; more += 1) await cache.get('search', { id: 3, text: hostile });
  await shows();
  await expect.poll(() => page.locator('#chart-rate canvas').count()).toBe(1);
  expect(problems).toEqual([]);
});

test('shows what was before it was opened, latency of loads and of each tier, and advice', async () => {
  const core = coreOf(cache)!;
  core.remarks.add(() => [`${hostile} could be longer`]);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    board.close();
    board = dashboard(cache, { interval: 100, token });
    server.removeAllListeners('request').on('request', board.handler);
    for (let moment = 0; moment < 3; moment += 1) {
      await work();
      await vi.advanceTimersByTimeAsync(5_100);
    }
  } finally {
    vi.useRealTimers();
  }
  await open();
  // Two intervals lie between three moments, and one before the first figures.
  await expect.poll(() => page.evaluate('charts.calls.data[0].length')).toBeGreaterThanOrEqual(3);
  const [times, calls] = (await page.evaluate('charts.calls.data')) as number[][];
  expect(times!.every((time, at) => at === 0 || time > times![at - 1]!)).toBe(true);
  expect(Math.max(...calls!)).toBeGreaterThan(0);
  const memory = page.locator('#tiers tbody tr').first().locator('td');
  expect(await memory.nth(0).textContent()).toBe('memory');
  expect(await memory.nth(1).textContent()).toBe(String(cache.stats().entries));
  await expect.poll(() => memory.nth(3).textContent()).toMatch(/^[\d.]+ [µm]s$/);
  expect(await page.textContent('#remarks')).toBe(`${hostile} could be longer`);
  expect(await page.locator('#chart-loads canvas, #chart-saved canvas').count()).toBe(2);
  expect(problems).toEqual([]);
});

test('draws the hit rate that its card tells, calls that have no key left out', async () => {
  await open();
  await expect.poll(() => card('Hits').textContent()).toBe('0');
  await cache.getOrSet('search', 1, () => 1);
  await cache.getOrSet('search', 1, () => 1);
  for (let more = 0; more < 2; more += 1) await cache.getOrSet('search', { no: () => 1 }, () => 1);
  const failing = () => new Promise<never>((_, reject) => setTimeout(reject, 1, new Error('no')));
  await Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('search', 2, failing)));
  await expect.poll(() => card('Calls').textContent()).toBe('7');
  const shown = await card('Hit rate').textContent();
  expect(shown).toBe(`${(cache.stats().hitRate * 100).toFixed(1)} %`);
  // The figures may have been read in between.
  const of = (figures: object) => page.evaluate(`pointsOf(...${JSON.stringify(figures)}, 1000).rate`);
  const none = { ...new CacheManager().stats() };
  expect(await of([cache.stats(), none])).toBeCloseTo(cache.stats().hitRate * 100);
});

test('shows times that are no number, or beyond all measure, as such', async () => {
  await open();
  const shown = (ms: string) => page.evaluate(`formatMs(${ms})`);
  expect(await shown('Number("Infinity")')).toBe('–');
  expect(await shown('1.7e308')).toBe('> 31,000 years');
  expect(await shown('999e12')).toBe('277,500,000 h 0 m');
  expect(await shown('NaN')).toBe('–');
});

test('shows methods whose names have separators of lines', async () => {
  await open();
  const names = ['line\u2028separator', 'paragraph\u2029separator'];
  for (const name of names) cache.setSync(name, 1, 1);
  await expect.poll(() => page.locator('#methods tbody td:first-child').allTextContents()).toEqual(names);
  expect(await page.textContent('#status')).toMatch(/^Live/);
  expect(problems).toEqual([]);
});

test('keeps its charts as methods change places', async () => {
  let calls = 0;
  const call = async (method: string, times: number) => {
    for (const until = calls + times; calls < until; calls += 1) await cache.getOrSet(method, calls, () => 1);
  };
  const first = page.locator('#methods tbody td').first();
  for (const method of ['a', 'b', 'c', 'd']) await call(method, 1);
  await open();
  await expect.poll(() => page.evaluate('charts.rate.data[0].length')).toBeGreaterThan(0);
  const begun = await page.evaluate('charts.rate.data[0][0]');
  for (const [at, method] of ['b', 'a', 'b', 'e', 'a', 'e'].entries()) {
    await call(method, 10 * 2 ** at);
    await expect.poll(() => first.textContent()).toBe(method);
  }
  const labels = page.locator('#chart-rate .u-legend .u-label');
  const lines = async () => (await labels.allTextContents()).sort();
  expect(await lines()).toEqual(['a', 'all methods', 'b', 'c', 'd']);
  // So that c and d are no longer among twice as many as there are lines.
  for (const method of ['e', 'f', 'g', 'h', 'i', 'j']) await call(method, 200);
  await expect.poll(lines).toEqual(['a', 'all methods', 'b', 'e', 'f']);
  const [time, all, , , latest] = (await page.evaluate('charts.calls.data')) as number[][];
  expect(time![0]).toBe(begun);
  expect(all!.every((value) => value >= 0)).toBe(true);
  expect(latest!.length).toBe(time!.length);
  expect(await page.locator('#chart-rate canvas').count()).toBe(1);
  expect(problems).toEqual([]);
});

test('finds entries by method and parameter, shows one, and deletes it', async () => {
  await work();
  await open();
  await page.fill('#search-method', 'search');
  await page.fill('#search-text', '"id":7,');
  await page.press('#search-text', 'Enter');
  await expect.poll(() => page.locator('#found tbody tr').count()).toBe(1);
  // All by keyboard from here.
  await page.locator('#found button.link').focus();
  await page.keyboard.press('Enter');
  await page.locator('#entry[open]').waitFor();
  expect(await page.textContent('#entry-value')).toContain(`found: '${hostile}'`);
  expect(await page.textContent('#entry-facts')).toContain('tags');
  const questions: string[] = [];
  page.on('dialog', (dialog) => {
    questions.push(dialog.message());
    void dialog.accept();
  });
  await page.keyboard.press('Tab');
  await page.locator('#entry-delete').focus();
  await page.keyboard.press('Enter');
  await expect.poll(() => page.locator('#found tbody tr').count()).toBe(0);
  expect(questions).toEqual(['Delete this entry of search?']);
  expect(await cache.has('search', { id: 7, text: hostile })).toBe(false);
  expect(await cache.has('search', { id: 8, text: hostile })).toBe(true);
  await page
    .locator('#methods tr')
    .filter({ hasText: 'get_order' })
    .getByRole('button', { name: 'Clear' })
    .click();
  await expect.poll(() => cache.stats('get_order').entries).toBe(0);
  await page.fill('#invalidate-tag', 'all');
  await page.click('#invalidate button');
  await expect.poll(() => cache.has('search', { id: 8, text: hostile })).toBe(false);
  expect(problems).toEqual([]);
});

test('goes on with a search until all has been looked at', async () => {
  await cache.close();
  cache = new CacheManager({ keepParams: true });
  board.close();
  board = dashboard(cache, { token });
  server.removeAllListeners('request').on('request', board.handler);
  for (let id = 0; id < 250; id += 1) cache.setSync('search', { id }, id);
  await open();
  await page.fill('#search-method', 'search');
  await page.press('#search-text', 'Enter');
  await expect
    .poll(() => page.textContent('#search-note'))
    .toBe('100 found, searched 100 of 250; there is more to search');
  await page.press('#search-on', 'Enter');
  await expect.poll(() => page.locator('#found tbody tr').count()).toBe(200);
  await page.press('#search-on', 'Enter');
  await expect.poll(() => page.textContent('#search-note')).toBe('250 found, searched 250');
  expect(await page.locator('#search-on').isVisible()).toBe(false);
});

test('leaves the keyboard where it is among what was found', async () => {
  await work();
  for (let more = 0; more < 9; more += 1) await cache.get('search', { id: 7, text: hostile });
  await open();
  await page.fill('#search-text', '"id":7,');
  await page.press('#search-text', 'Enter');
  await expect.poll(() => page.locator('#found tbody tr').count()).toBe(3);
  const place = () => page.evaluate('document.activeElement.closest("table")?.id');
  const key = cache.method('search').key({ id: 7, text: hostile });
  for (const table of ['found', 'top']) {
    await page.locator(`#${table} [title="${key}"]`).focus();
    // Drawn anew.
    const before = await page.textContent('#status');
    await expect.poll(() => page.textContent('#status')).not.toBe(before);
    expect(await place()).toBe(table);
  }
});

test('takes another token as its address changes', async () => {
  await page.goto(`${origin()}/#token=another`);
  await expect.poll(() => page.textContent('#status')).toContain('The token is missing or wrong');
  await page.evaluate(`location.hash = ${JSON.stringify(`token=${token}`)}`);
  await expect.poll(() => page.textContent('#status')).toContain('Live');
});

test('does nothing that a method, a parameter or a value says', async () => {
  await work();
  await open();
  await expect.poll(() => page.locator('#methods tbody tr').count()).toBe(3);
  expect(await page.title()).toBe(hostile);
  await page.press('#search-text', 'Enter');
  await expect.poll(() => page.locator('#found tbody tr').count()).toBeGreaterThan(50);
  await page.locator('#found button.link').last().click();
  await page.locator('#entry[open]').waitFor();
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await page.locator('img, main script').count()).toBe(0);
  // What the page holds is shown; what somebody put into it would not run either.
  await page.evaluate(() => {
    const made = (
      globalThis as never as { document: { createElement(name: string): { textContent: string } } }
    ).document;
    const script = made.createElement('script');
    try {
      script.textContent = 'globalThis.broken = 1';
      (made as never as { body: { append(node: unknown): void } }).body.append(script);
    } catch {
      // Refused at the first step.
    }
  });
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
});

test('stays as one file that asks nobody for anything, hostile texts and all', async () => {
  await work();
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-page-'));
  const path = join(folder, 'page.html');
  try {
    writeFileSync(path, staticPage(await stillFigures(cache, { title: `</script>${hostile}` })));
    problems = [];
    page.removeAllListeners('request');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`file://${path}`);
    const { hits, entries } = cache.stats();
    expect(await card('Hits').textContent()).toBe(String(hits));
    expect(await card('Entries in memory').textContent()).toBe(String(entries));
    expect(await page.locator('#methods tbody tr').count()).toBe(3);
    expect(await page.locator('meter').count()).toBe(12);
    expect(await page.title()).toBe(`</script>${hostile}`);
    expect(await page.locator('#search-section').isVisible()).toBe(false);
    expect(await page.evaluate('globalThis.broken')).toBeUndefined();
    expect(await page.evaluate('getComputedStyle(document.body).margin')).toBe('0px');
    expect(asked).toEqual([`file://${path}`]);
    expect(problems).toEqual([]);
    const shots = process.env['TOOLSTASH_SCREENSHOTS'];
    if (shots !== undefined) await page.screenshot({ path: `${shots}/still.png`, fullPage: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('is refused to a page of another origin, which has the token even', async () => {
  await work();
  const foreign = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<p>elsewhere</p>');
  }).listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  try {
    await page.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
    const told = await page.evaluate(
      async ({ url, token }) => {
        const told: string[] = [];
        for (const mode of ['cors', 'no-cors'] as const)
          for (const headers of [{}, { 'x-toolstash-token': token }])
            try {
              const response = await fetch(`${url}/clear`, {
                method: 'POST',
                mode,
                headers,
                body: '{"method":"search"}',
              });
              told.push(`${response.type} ${response.status}`);
            } catch {
              told.push('refused');
            }
        return told;
      },
      { url: origin(), token: board.token },
    );
    expect(told).toEqual(['refused', 'refused', 'refused', 'refused']);
    expect(cache.stats('search').entries).toBe(20);
  } finally {
    foreign.close();
    foreign.closeAllConnections();
  }
});

test.each([
  [1280, 'light'],
  [400, 'dark'],
] as const)('fits %i pixels, %s', async (width, colorScheme) => {
  await work();
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  await open();
  await expect.poll(() => page.locator('#methods tbody tr').count()).toBe(3);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  const back = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const [before, dark] = [await back(), 'rgb(20, 23, 28)'];
  expect(before === dark).toBe(colorScheme === 'dark');
  await page.click('#theme');
  expect((await back()) === dark).toBe(colorScheme !== 'dark');
  const folder = process.env['TOOLSTASH_SCREENSHOTS'];
  if (folder !== undefined) {
    await page.click('#theme');
    for (let more = 0; more < 6; more += 1) await work();
    await page.screenshot({ path: `${folder}/${width}-${colorScheme}.png`, fullPage: true });
  }
});
