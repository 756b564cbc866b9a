/** What `cacheMiddleware` refuses. In agents it is tested beside the frameworks. */

import { expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { cacheMiddleware } from '../../src/langchain/index.js';

class ToolMessage {
  readonly content = '';
  readonly tool_call_id = '';
}
const cache = new CacheManager();

it.each([
  ['no cache', [new Map(), {}, { ToolMessage }], 'with a `CacheManager`, got `Map(0) {}`'],
  ['no rules', [cache, undefined, { ToolMessage }], 'Expected `rules` to be an object of rules'],
  ['a wrong rule', [cache, { a: 7 }, { ToolMessage }], "Expected the rule `a` to be 'write', 'opaque'"],
  [
    'collect',
    [cache, { a: { collect: true } }, { ToolMessage }],
    '`collect` of the rule `a` does nothing here',
  ],
  ['no options', [cache, {}], 'an object, as `{ ToolMessage }`'],
  ['no class', [cache, {}, {}], "`import { ToolMessage } from 'langchain'`"],
  ['an unknown option', [cache, {}, { toolMessage: ToolMessage }], 'did you mean `ToolMessage`?'],
  ['wrong toolErrors', [cache, {}, { ToolMessage, toolErrors: true }], "'message' or 'throw', got `true`"],
])('refuses %s', (_name, given, message) => {
  expect(() => Reflect.apply(cacheMiddleware, undefined, given)).toThrow(message);
});

it('takes the rule that forbids where two disagree, and says so once', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const middleware = cacheMiddleware(cache, { 's*': {}, '*h': 'write' }, { ToolMessage });
  let runs = 0;
  const tool = { name: 'search', invoke: async () => ++runs };
  const toolCall = { id: '1', name: 'search', args: {} };
  const handler = (request: { tool: { invoke(input: object, config: object): unknown } }) =>
    request.tool.invoke(toolCall, {});
  for (const _ of [1, 2]) await middleware.wrapToolCall({ toolCall, tool }, handler as never);
  expect(runs).toBe(2);
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    expect.stringContaining('say different things of the tool `search`'),
  ]);
  warn.mockRestore();
});
