/**
 * Eight rollouts, each with a client of its own of one MCP server, ask the same: the server is asked once. What books a
 * table is done each time. `npm install toolstash @modelcontextprotocol/client @modelcontextprotocol/server zod`
 */

import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { CacheManager } from 'toolstash';
import { cacheClient } from 'toolstash/mcp';
import { z } from 'zod';

const runs = { search: 0, book: 0 };

/** Stands for a server of yours, which would be another process. */
function restaurantServer(): McpServer {
  const server = new McpServer({ name: 'restaurants', version: '1.0.0' });
  server.registerTool('search', { inputSchema: z.object({ city: z.string() }) }, ({ city }) => {
    runs.search += 1;
    return { content: [{ type: 'text', text: `3 restaurants in ${city}` }] };
  });
  server.registerTool('book', { inputSchema: z.object({ id: z.string() }) }, ({ id }) => {
    runs.book += 1;
    return { content: [{ type: 'text', text: `booked ${id}` }] };
  });
  return server;
}

async function connected(): Promise<Client> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'rollout', version: '1.0.0' });
  await Promise.all([restaurantServer().connect(theirs), client.connect(ours)]);
  return client;
}

async function rollout(cache: CacheManager): Promise<unknown> {
  const client = cacheClient(
    await connected(),
    cache,
    { search: { ttl: '1h' }, 'book*': 'write', '*': 'opaque' },
    { server: 'restaurants', principal: null },
  );
  const found = await client.callTool({ name: 'search', arguments: { city: 'Lisbon' } });
  await client.callTool({ name: 'book', arguments: { id: 'R1' } });
  await client.close();
  return found.content;
}

async function main(): Promise<void> {
  const cache = new CacheManager();
  const [answer] = await Promise.all(Array.from({ length: 8 }, () => rollout(cache)));
  console.log(answer);
  console.log('the server ran', runs);
  const { hits, coalesced, loads } = cache.stats('restaurants/search');
  console.log(`search: ${loads} load, ${hits + coalesced} answered without the server`);
  await cache.close();
}

main();
