import diagnosticsChannel from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { type CacheEventName, CacheManager, hashKey } from '../src/index.js';
import { FakeClock } from '../src/testing/index.js';
import { settle } from './helper/gate.js';

const names: CacheEventName[] = [
  'hit',
  'staleHit',
  'miss',
  'coalesced',
  'load',
  'loadError',
  'set',
  'delete',
  'clear',
  'remove',
  'uncached',
  'error',
];

describe('the events', () => {
  it('tell what happened, in order', async () => {
    const cache = new CacheManager({ maxSize: 1 });
    const told: string[] = [];
    for (const name of names)
      cache.on(name, (event) => told.push(`${name} ${'key' in event ? event.key : ''}`));
    const [one, two] = [hashKey('tool', 1), hashKey('tool', 2)];
    await Promise.all([cache.getOrSet('tool', 1, () => 'a'), cache.getOrSet('tool', 1, () => 'a')]);
    await cache.get('tool', 1);
    await cache.set('tool', 2, 'b');
    await cache.delete('tool', 2);
    await cache.clear('tool');
    await cache.getOrSet('tool', 3, () => Promise.reject(new Error('x'))).catch((error: Error) => error);
    await cache.getOrSet('tool', { f() {} }, () => 'c');
    expect(told).toEqual([
      `miss ${one}`,
      `coalesced ${one}`,
      `load ${one}`,
      `set ${one}`,
      `hit ${one}`,
      `remove ${one}`,
      `set ${two}`,
      `remove ${two}`,
      `delete ${two}`,
      'clear ',
      `miss ${hashKey('tool', 3)}`,
      `loadError ${hashKey('tool', 3)}`,
      'uncached ',
    ]);
  });

  it('are listened to once, and no more after off', async () => {
    const cache = new CacheManager();
    const told: string[] = [];
    const listener = () => told.push('on');
    const once = () => told.push('once');
    cache.on('miss', listener).once('miss', once).once('hit', once);
    await cache.get('tool', 1);
    await cache.get('tool', 1);
    cache.off('miss', listener).off('hit', once);
    await cache.get('tool', 1);
    await cache.set('tool', 1, 1);
    await cache.get('tool', 1);
    expect(told).toEqual(['on', 'once', 'on']);
  });

  it('tell of a stale hit, and why there was one', async () => {
    const clock = new FakeClock();
    const cache = new CacheManager({
      clock,
      ttl: 1000,
      staleWhileRevalidate: 1000,
      staleIfError: '1h',
      softTimeout: 500,
    });
    const [method, key] = ['tool', hashKey('tool', 1)];
    const told: unknown[] = [];
    cache.on('staleHit', (event) => told.push(event));
    await cache.getOrSet('tool', 1, () => 'old');
    clock.advance(1500);
    expect(await cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')))).toBe('old');
    await settle();
    clock.advance(1000);
    expect(await cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')))).toBe('old');
    const slow = cache.getOrSet('tool', 1, () => new Promise<string>(() => undefined));
    clock.advance(500);
    expect(await slow).toBe('old');
    expect(told).toEqual([
      { method, key, tier: 'memory', reason: 'revalidate' },
      { method, key, tier: 'memory', reason: 'error' },
      { method, key, tier: 'memory', reason: 'timeout' },
    ]);
  });

  it.each([
    ['throws', () => fail(new Error('listener is broken'))],
    ['rejects', async () => fail(new Error('listener is broken'))],
    ['throws what is no text', () => fail(Object.assign(Object.create(null), { is: 'listener is broken' }))],
  ])('keep a listener that %s away from the tool call, and warn', async (_, listener) => {
    const told: string[] = [];
    const note = (warning: Error) => told.push(`${warning.name}: ${warning.message}`);
    const unhandled = (reason: unknown) => told.push(`unhandled: ${reason}`);
    process.on('warning', note).on('unhandledRejection', unhandled);
    const cache = new CacheManager();
    cache.on('load', listener).once('set', listener);
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    await settle();
    process.off('warning', note).off('unhandledRejection', unhandled);
    expect(told).toEqual([
      expect.stringMatching(/^ToolstashWarning: .*`load`.*listener is broken/),
      expect.stringMatching(/^ToolstashWarning: .*`set`.*listener is broken/),
    ]);
  });

  it('are published on diagnostics channels too', async () => {
    const told: unknown[] = [];
    const subscriber = (message: unknown) => told.push(message);
    diagnosticsChannel.subscribe('toolstash:hit', subscriber);
    const cache = new CacheManager();
    await cache.set('tool', 1, 1);
    await cache.get('tool', 1);
    diagnosticsChannel.unsubscribe('toolstash:hit', subscriber);
    await cache.get('tool', 1);
    expect(told).toEqual([{ method: 'tool', key: hashKey('tool', 1), tier: 'memory' }]);
  });

  it('need no listener for errors', async () => {
    const cache = new CacheManager({ ttl: () => -1 });
    expect(await cache.getOrSet('tool', 1, () => 'answer')).toBe('answer');
    expect(cache.stats().cacheErrors).toBe(1);
  });
});

function fail(reason: unknown): never {
  throw reason;
}
