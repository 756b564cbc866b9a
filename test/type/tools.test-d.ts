/** What `cache.tools` compiles to: tool sets keep their type. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import type { CacheManager, ToolRules } from '../../src/index.js';

declare const cache: CacheManager;
declare const search: { readonly name: 'search'; execute(input: { query: string }): Promise<string[]> };
declare class Tool {
  readonly id: string;
  readonly execute: (input: { query: string }, context?: { signal: AbortSignal }) => Promise<string>;
}
declare const tool: Tool;

const record = { search, tool, maybe: undefined };
expectTypeOf(cache.tools(record, {})).toEqualTypeOf<typeof record>();
const list = [search, tool] as const;
expectTypeOf(cache.tools(list, {})).toEqualTypeOf<typeof list>();

const rules: ToolRules = {
  search: { ttl: '1h', scope: 'acme', ignore: ['trace'], isError: false, hardTimeout: '30s' },
  'book_*': 'write',
  '*': 'opaque',
};
cache.tools(record, rules);
// What the input is, the rule says.
cache.tools(record, {
  search: { key: ({ query }: { query: string }, context: { tenant: string }) => [query, context] },
});
cache.tools(record, { search: { key: (input) => input } });
// @ts-expect-error no such word
cache.tools(record, { search: 'read' });
// @ts-expect-error no such option
cache.tools(record, { search: { name: 'x' } });
// @ts-expect-error a tool set is no function
cache.tools('search', {});
