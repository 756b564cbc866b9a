/**
 * Problem: a tool reports failures as results, and the cache pins them as answers. `isError` recognises them: they are
 * handed out, never stored, and count as failures. Run it with `npx tsx examples/guards/error-results.ts`.
 */

import { CacheManager } from 'toolstash';

interface ToolResult {
  readonly isError?: boolean;
  readonly content: string;
}

const cache = new CacheManager({ isError: (value) => (value as ToolResult).isError === true });
const results: ToolResult[] = [{ isError: true, content: 'rate limited' }, { content: '4 files' }];
const list = () => cache.getOrSet('list_files', { path: '/' }, async () => results.shift());

console.log('first: ', await list());
console.log('second:', await list());
console.log('third: ', await list(), '(from the cache)');
