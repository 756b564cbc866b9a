/**
 * Clients of MCP servers whose tool calls a cache answers. Rules say which tools; what a server says of its tools can
 * only forbid.
 */

import { InvalidArgumentError } from '../errors.js';
import type { CacheManager, ToolRules } from '../index.js';
import { shown } from '../option-checks.js';
import { CachedCalls } from './cached-calls.js';
import type { CacheClientOptions } from './client-options.js';
import type { LooseClient, McpClient } from './mcp-client.js';

export type { CacheClientOptions } from './client-options.js';
export type { McpClient } from './mcp-client.js';

/**
 * The same client, its `callTool` answered from the cache where a rule says so: version 1 or 2 of the MCP SDK. Results
 * are shared by those who ask one server (`server`, its version), for one `principal`, the same tool by the same
 * definition with the same arguments. Never stored: errors, results of calls during which the server asked the user or
 * the model, unfinished ones, tasks.
 * @throws InvalidArgumentError, InvalidOptionError naming the value and the fix
 *
 * @example
 * const docs = cacheClient(client, cache, { search: { ttl: '1h' }, '*': 'opaque' }, { server: 'docs', principal: null });
 * const result = await docs.callTool({ name: 'search', arguments: { query: 'mvcc' } });
 */
export function cacheClient<C extends McpClient>(
  client: C,
  cache: CacheManager,
  rules: ToolRules,
  options: CacheClientOptions = {},
): C {
  refuseOthers(client, cache);
  const target = client as unknown as LooseClient;
  const calls = new CachedCalls({ client: target, cache, rules, options });
  const own: Readonly<Record<PropertyKey, unknown>> = {
    callTool: (...given: readonly unknown[]) => calls.call(given),
    listTools: async (...given: readonly unknown[]) => {
      const result = await target.listTools(...given);
      calls.listed(result);
      return result;
    },
  };
  const bound = new WeakMap<object, unknown>();
  return new Proxy(client, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name];
      const value: unknown = Reflect.get(client, name, client);
      if (typeof value !== 'function' || name === 'constructor' || Object.hasOwn(client, name)) return value;
      // Bound, as methods of classes with private fields work on the client alone.
      if (!bound.has(value)) bound.set(value, value.bind(client));
      return bound.get(value);
    },
    set: (_, name, value) => Reflect.set(client, name, value, client),
  });
}

function refuseOthers(client: unknown, cache: unknown): void {
  const methods = ['callTool', 'listTools', 'request', 'getServerVersion'] as const;
  const isClient = methods.every(
    (name) => typeof (client as Partial<LooseClient> | undefined | null)?.[name] === 'function',
  );
  if (!isClient) {
    throw new InvalidArgumentError(
      'Expected `cacheClient(client, cache, rules)` with a `Client` of `@modelcontextprotocol/sdk` or ' +
        `\`@modelcontextprotocol/client\`, got ${shown(client)}`,
    );
  }
  if (typeof (cache as Partial<CacheManager> | undefined | null)?.tools === 'function') return;
  throw new InvalidArgumentError(
    `Expected \`cacheClient(client, cache, rules)\` with a \`CacheManager\`, got ${shown(cache)}`,
  );
}
