/**
 * Problem: something changes, and many cached answers of many tools are wrong at once. Give entries `tags` and invalidate
 * those: it costs the same for ten entries and for ten million, on disk too. Run it with
 * `npx tsx examples/guards/tags.ts`.
 */

import { CacheManager } from 'toolstash';

const cache = new CacheManager({
  methods: {
    read_file: { tags: (value) => [`repo:${(value as { repo: string }).repo}`] },
    search_code: { tags: ['repo:web', 'repo:api'] },
  },
});
await cache.getOrSet('read_file', 'web/index.html', () => ({ repo: 'web', text: '<html>' }));
await cache.getOrSet('read_file', 'api/main.ts', () => ({ repo: 'api', text: 'serve()' }));
await cache.getOrSet('search_code', 'serve', () => ['api/main.ts']);

await cache.invalidateTags(['repo:web']);
console.log('of the changed repository: ', await cache.get('read_file', 'web/index.html'));
console.log('a search through both:     ', await cache.get('search_code', 'serve'));
console.log('of the other repository:   ', await cache.get('read_file', 'api/main.ts'));
