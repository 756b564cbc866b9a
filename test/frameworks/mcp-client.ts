/** A cached client of version 1 of the MCP SDK is such a client to the compiler. */

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { cacheClient } from '../../src/mcp/index.js';

const client = new Client({ name: 'types', version: '1' });
const cache = new CacheManager();
export const cached: Client = cacheClient(client, cache, { search: { ttl: '1h' }, '*': 'opaque' });
cacheClient(client, cache, {}, { server: 'docs', principal: () => null });
// @ts-expect-error no rules
cacheClient(client, cache);
// @ts-expect-error no client
cacheClient(cache, cache, {});
