import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

interface Page {
  readonly text: string;
  readonly site: string;
}
const siteOf = (value: unknown) => [`site:${(value as Page).site}`];

function makeCache(options: CacheOptions = {}, tiers: MapTier[] = []) {
  const clock = new FakeClock();
  return { cache: new CacheManager({ clock, tags: siteOf, ...options }, tiers), clock };
}

const page = (text: string, site = 'a'): Page => ({ text, site });

describe('tags', () => {
  it('make entries void by what they carry; without them what has changed is answered for its whole ttl', async () => {
    const { cache } = makeCache();
    const bare = makeCache({ tags: [] }).cache;
    for (const each of [cache, bare]) {
      await each.set('page', 1, page('old', 'a'));
      await each.set('page', 2, page('old', 'b'));
      await each.set('other', 1, page('old', 'a'), { tags: ['own'] });
      await each.invalidateTags(['site:a', 'unknown']);
    }
    expect(await cache.get('page', 1)).toBeUndefined();
    expect(await cache.get('page', 2)).toEqual(page('old', 'b'));
    expect(await cache.get('other', 1)).toEqual(page('old', 'a'));
    expect(cache.stats()).toMatchObject({ invalidated: 1, entries: 2 });
    await cache.set('page', 1, page('new', 'a'));
    expect(await cache.get('page', 1)).toEqual(page('new', 'a'));
    expect(await bare.get('page', 1)).toEqual(page('old', 'a'));
  });

  it('hold on every way to an entry', async () => {
    const { cache } = makeCache();
    const fill = async () => {
      await cache.set('page', 1, page('old'));
      await cache.invalidateTags(['site:a']);
    };
    await fill();
    expect(cache.getSync('page', 1)).toBeUndefined();
    await fill();
    expect(cache.peek('page', 1)).toBeUndefined();
    await fill();
    expect(await cache.has('page', 1)).toBe(false);
    await fill();
    for await (const entry of cache) expect.fail(entry.key);
    await fill();
    expect(await cache.lookup('page', 1)).toMatchObject({ outcome: 'miss' });
    await fill();
    expect(await cache.getOrSet('page', 1, () => page('new'))).toEqual(page('new'));
  });

  it('let no old entry come back from a slower tier that knows nothing of it', async () => {
    const disk = new MapTier();
    const { cache } = makeCache({ maxSize: 1 }, [disk]);
    await cache.set('page', 1, page('old'));
    const record = [...disk.records.values()][0]!;
    expect(record.tags).toEqual(['site:a']);
    await cache.set('page', 2, page('other', 'b'));
    await cache.invalidateTags(['site:a']);
    expect(disk.records.size).toBe(1);
    // As if a file of long ago had turned up.
    disk.records.set(record.key, record);
    expect(await cache.lookup('page', 1)).toMatchObject({ outcome: 'miss' });
    for await (const entry of cache.entries('page')) expect(entry.value).toEqual(page('other', 'b'));
  });

  it('are asked again after a slow read during which they were invalidated', async () => {
    const disk = new MapTier();
    const { cache } = makeCache({ maxSize: 1 }, [disk]);
    await cache.set('page', 1, page('old'));
    await cache.set('page', 2, page('other', 'b'));
    const held = gate();
    disk.beforeAnswer = () => held.promise;
    const reading = cache.get('page', 1);
    const loading = cache.getOrSet('page', 1, () => page('new'));
    await cache.invalidateTags(['site:a']);
    held.open();
    expect(await reading).toBeUndefined();
    expect(await loading).toEqual(page('new'));
  });

  it('concern the result of a load during which they were invalidated, whose callers still get it', async () => {
    for (const tags of [siteOf, ['site:a']]) {
      const disk = new MapTier();
      const { cache } = makeCache({ tags }, [disk]);
      const done = gate<Page>();
      const loading = cache.getOrSet('page', 1, () => done.promise);
      await settle();
      await cache.invalidateTags(['site:a']);
      const later = cache.getOrSet('page', 1, () => page('new'));
      done.open(page('old'));
      expect(await loading).toEqual(page('old'));
      expect(await later).toEqual(page('new'));
      expect(await cache.get('page', 1)).toEqual(page('new'));
      expect(disk.records.size).toBe(1);
    }
  });

  it('do not keep the result of a load from being stored that has other tags', async () => {
    const { cache } = makeCache();
    const done = gate<Page>();
    const loading = cache.getOrSet('page', 1, () => done.promise);
    await cache.invalidateTags(['site:b']);
    done.open(page('a page', 'a'));
    await loading;
    expect(await cache.get('page', 1)).toEqual(page('a page', 'a'));
  });

  it('cost the same however many entries carry them', async () => {
    const { cache } = makeCache({ maxSize: 5000 });
    for (let key = 0; key < 5000; key++) cache.setSync('page', key, page('text'));
    let removed = 0;
    cache.on('remove', () => removed++);
    await cache.invalidateTags(['site:a']);
    expect(removed).toBe(0);
    expect(await cache.get('page', 17)).toBeUndefined();
    expect(removed).toBe(1);
  });

  it('are bounded in number, and nothing old comes back when the oldest marker is dropped', async () => {
    const { cache } = makeCache({ tags: (value) => [String(value)] });
    await cache.set('tool', 1, 'x');
    await cache.set('untagged', 1, 'y', { tags: [] });
    await cache.invalidateTags(['x']);
    for (let tag = 0; tag < 100_001; tag += 1000) {
      await cache.invalidateTags(Array.from({ length: 1000 }, (_, each) => `tag ${tag + each}`));
    }
    expect(await cache.get('tool', 1)).toBeUndefined();
    expect(await cache.get('untagged', 1)).toBe('y');
  });

  it('are refused where there are more than a partition file may tell', async () => {
    const { cache } = makeCache();
    const tags = Array.from({ length: 100_001 }, (_, number) => `tag ${number}`);
    await expect(cache.set('page', 1, 'x', { tags })).rejects.toThrow('at most 100000 tags, got 100001');
    expect(await cache.get('page', 1)).toBeUndefined();
    const many = tags.slice(1);
    expect(await cache.set('page', 1, 'x', { tags: many })).toBe(true);
    await cache.invalidateTags([many.at(-1)!]);
    expect(await cache.get('page', 1)).toBeUndefined();
  });

  it('that can not be told keep a result from being stored', async () => {
    const { cache } = makeCache({ tags: () => [7 as never] });
    expect(await cache.getOrSet('page', 1, () => page('text'))).toEqual(page('text'));
    expect(cache.stats()).toMatchObject({ cacheErrors: 1, sets: 0 });
    await expect(cache.set('page', 1, page('text'))).rejects.toThrow(
      'Expected `tags(value)` to return a list',
    );
    await expect(cache.invalidateTags('site:a' as never)).rejects.toThrow("got `'site:a'`");
  });
});
