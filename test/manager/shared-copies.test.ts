/** Values decoded once for the calls of a caller within the library, as the cache of HTTP responses is one. */

import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { SharedCopies } from '../../src/manager/shared-copies.js';
import type { MemoryEntry } from '../../src/store/memory-entry.js';
import { FakeClock } from '../../src/testing/index.js';

const load =
  <T>(value: T) =>
  () =>
    value;

it('decodes once for its calls, while every other reader has a copy of its own', async () => {
  const cache = new CacheManager();
  const shared = cache.method('tool').under({}, 1_000_000);
  const ask = () => shared.getOrSetAtOnce<{ names: string[] }>('a', load({ names: ['ada'] }));
  await ask();
  await ask();
  expect(ask()).toBe(await ask());
  for (const own of [cache.peek('tool', 'a'), await cache.get('tool', 'a')] as { names: string[] }[])
    own.names.push('eve');
  const others = await cache.getOrSet('tool', 'a', load({ names: ['unused'] }));
  expect([await ask(), others]).toEqual([{ names: ['ada'] }, { names: ['ada'] }]);
  await cache.close();
});

it('has no copy of what was overwritten, deleted, invalidated or has expired', async () => {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock });
  const shared = cache.method('tool').under({ ttl: '1m', jitter: 0, tags: ['t'] }, 1_000_000);
  const ask = async (version: string) => {
    const answers: unknown[] = [];
    for (let at = 0; at < 4; at++) answers.push(await shared.getOrSetAtOnce('a', load([version])));
    return answers;
  };
  const four = (version: string) => Array(4).fill([version]);
  expect(await ask('first')).toEqual(four('first'));
  await cache.set('tool', 'a', ['set']);
  expect(await ask('unused')).toEqual(four('set'));
  await cache.delete('tool', 'a');
  expect(await ask('after deletion')).toEqual(four('after deletion'));
  await cache.invalidateTags(['t']);
  expect(await ask('after invalidation')).toEqual(four('after invalidation'));
  clock.advance(60_000);
  expect(await ask('after expiry')).toEqual(four('after expiry'));
  await cache.close();
});

it('holds copies up to its bytes', () => {
  const copies = new SharedCopies(400);
  const entries = ['a', 'b', 'c'].map(
    (key) =>
      ({ key, stored: new Uint8Array(key === 'c' ? 200 : 40), accessCount: 2 }) as unknown as MemoryEntry,
  );
  const [a, b, large] = entries as [MemoryEntry, MemoryEntry, MemoryEntry];
  const decode = () => ({});
  const first = copies.of(a, decode);
  expect(copies.of(a, decode)).toBe(first);
  expect(copies.of(large, decode)).not.toBe(copies.of(large, decode));
  expect(copies.of(a, decode)).toBe(first);
  const second = copies.of(b, decode);
  expect(copies.of(b, decode)).toBe(second);
  const once = { ...a, stored: new Uint8Array(40), accessCount: 1 } as MemoryEntry;
  expect(copies.of(once, decode)).not.toBe(copies.of(once, decode));
  copies.of({ ...a, stored: new Uint8Array(40) } as MemoryEntry, decode);
  expect(copies.of(a, decode)).not.toBe(first);
});
