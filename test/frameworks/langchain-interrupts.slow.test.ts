/** Tools of LangChain that interrupt their graph to ask a person, under `cache.tools` and under the middleware. */

import { beforeEach, describe, expect, it } from 'vitest';
import { cacheMiddleware } from '../../src/langchain/index.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { Rollout } from '../../src/rollout/index.js';
import type { ToolRules } from '../../src/tools/tool-rules.js';
import { librariesOf } from '../helper/libraries.js';
import type { Call, Tool } from './langchain-agents.js';

await librariesOf(new URL('.', import.meta.url));
const { ToolMessage } = await import('langchain');
const { Command, interrupt, MemorySaver } = await import('@langchain/langgraph');
const { agentOf, go, toolNamed } = await import('./langchain-agents.js');

const rules: ToolRules = { '*': { shared: true } };

type Caching = (
  cache: CacheManager,
  tools: readonly Tool[],
) => { tools: readonly Tool[]; middleware: unknown[] };

describe.each<[string, Caching]>([
  [
    'a rollout that reads',
    (cache, tools) => {
      const rollout = new Rollout(cache, { effects: { '*': { reads: ['people'] } } });
      return { tools: rollout.tools(tools), middleware: [] };
    },
  ],
  ['cache.tools', (cache, tools) => ({ tools: cache.tools(tools, rules), middleware: [] })],
  [
    'the middleware',
    (cache, tools) => ({ tools, middleware: [cacheMiddleware(cache, rules, { ToolMessage })] }),
  ],
])('under %s', (_, caching) => {
  let cache: CacheManager;
  let cached: ReturnType<Caching>;
  let runs: number;
  beforeEach(() => {
    cache = new CacheManager();
    cached = caching(cache, [ask, nested]);
    runs = 0;
  });

  /** A tool that asks a person, but where it knows by itself. */
  const ask = toolNamed('ask', ({ what }) => {
    runs += 1;
    return what === 'nothing' ? 'none' : `${what}: ${interrupt({ what })}`;
  });
  /** The same by an agent of its own. */
  const nested = toolNamed('nested', async (input) => {
    const { messages } = await agentOf([ask], [[['ask', input]]]).invoke(go);
    return messages.find(({ type }) => type === 'tool')?.content;
  });

  /** What a person is asked and answers, and what the tool then says. */
  async function answered(call: Call, thread_id: string, answer: string): Promise<unknown> {
    const config = { configurable: { thread_id } };
    const agent = agentOf(cached.tools, [[call]], {
      checkpointer: new MemorySaver(),
      middleware: cached.middleware,
    });
    const asked = await agent.invoke(go, config);
    expect(asked).toMatchObject({ __interrupt__: [{ value: { what: 'colour' } }] });
    const { messages } = await agent.invoke(new Command({ resume: answer }), config);
    return messages.find(({ type }) => type === 'tool')?.content;
  }
  it.each(['ask', 'nested'])(
    'each person is asked, and nobody gets the answer of another: %s',
    async (name) => {
      const call: Call = [name, { what: 'colour' }];
      const people = ['blue', 'red', 'green'];
      const atOnce = people.map((answer, at) => answered(call, String(at), answer));
      const expected = people.map((answer) => `colour: ${answer}`);
      expect(await Promise.all(atOnce)).toEqual(expected);
      expect(await answered(call, 'later', 'grey')).toBe('colour: grey');
      expect(cache.stats(name)).toMatchObject({ entries: 0, hits: 0 });
    },
  );

  it('what needs no person is answered from the cache', async () => {
    for (const thread_id of ['1', '2']) {
      const call: Call = ['ask', { what: 'nothing' }];
      const agent = agentOf(cached.tools, [[call], [call]], {
        ...{ checkpointer: new MemorySaver(), middleware: cached.middleware },
      });
      await agent.invoke(go, { configurable: { thread_id } });
    }
    expect(runs).toBe(1);
  });
});
