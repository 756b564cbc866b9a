/** Caches around a set of agent tools: `cache.tools`, and the peers as their documentation says to use them. */

import { cacheTools, createCached } from '@ai-sdk-tools/cache';
import { Cacheable, createKeyv } from 'cacheable';
import { LRUCache } from 'lru-cache';
import { CacheManager } from '../../src/index.js';

/** What a framework passes besides the input: another object for each call. */
export interface CallContext {
  readonly toolCallId: string;
  readonly messages: readonly object[];
  readonly abortSignal: AbortSignal | undefined;
}

/** A tool as the AI SDK defines it. */
export interface AgentTool {
  readonly description: string;
  readonly inputSchema: object;
  execute(input: object, context: CallContext): Promise<unknown>;
}

export type AgentTools = Readonly<Record<string, AgentTool>>;

/** One way to cache a set of tools. */
export interface ToolsContender {
  readonly name: string;
  create(tools: AgentTools): AgentTools;
}

/** Nothing is evicted. */
const capacity = 10_000;
const hour = 3_600_000;

/** The peer that the others are compared with. */
export const toolsBaseline = 'lru-cache.fetch, `JSON.stringify` key';

export const toolsContenders: readonly ToolsContender[] = [
  ours('reference'),
  ours('copy'),
  {
    name: toolsBaseline,
    create(tools) {
      type Run = () => Promise<unknown>;
      const cache = new LRUCache<string, object, Run>({
        ...{ max: capacity, ttl: hour },
        fetchMethod: (_key, _stale, { context: run }) => run() as Promise<object>,
      });
      return withExecute(tools, (tool, name) => (input, context) => {
        const run = () => tool.execute(input, context);
        return cache.fetch(`${name}:${JSON.stringify(input)}`, { context: run });
      });
    },
  },
  cacheable(false),
  cacheable(true),
  {
    // Its store holds 100 entries, and can't be told otherwise.
    name: '@ai-sdk-tools/cache, `createCached()`',
    create(tools) {
      const cached = createCached({ ttl: hour });
      return Object.fromEntries(
        Object.entries(tools).map(([name, tool]) => [name, cached(tool as never) as unknown as AgentTool]),
      );
    },
  },
  {
    name: '@ai-sdk-tools/cache, `cacheTools(tools)`',
    create: (tools) => cacheTools(tools as never, { ttl: hour, maxSize: capacity }) as unknown as AgentTools,
  },
];

function ours(values: 'reference' | 'copy'): ToolsContender {
  return {
    name: `toolstash \`cache.tools\`, ${values}`,
    create: (tools) => new CacheManager({ maxSize: capacity, values }).tools(tools, { '*': { ttl: '1h' } }),
  };
}

function cacheable(useClone: boolean): ToolsContender {
  return {
    name: `cacheable \`wrap\`, \`keyPrefix\`${useClone ? '' : ', no clone'}`,
    create(tools) {
      const cache = new Cacheable({ primary: createKeyv({ useClone, lruSize: capacity }), ttl: '1h' });
      return withExecute(tools, (tool, keyPrefix) => {
        // All arguments are its key: given the context it would never answer.
        const run = (input: object) => tool.execute(input, noContext);
        const wrapped = cache.wrap(run, { keyPrefix });
        return (input) => wrapped(input);
      });
    },
  };
}

const noContext: CallContext = { toolCallId: 'unknown', messages: [], abortSignal: undefined };

function withExecute(
  tools: AgentTools,
  cached: (tool: AgentTool, name: string) => AgentTool['execute'],
): AgentTools {
  return Object.fromEntries(
    Object.entries(tools).map(([name, tool]) => [name, { ...tool, execute: cached(tool, name) }]),
  );
}
