/**
 * A tool of the Claude Agent SDK, called eight times at once: it runs once. Here an MCP client calls it in place of Claude
 * Code, so that nothing goes over the network; with a key, give `server` to `query` as the last lines say.
 * `npm install toolstash @anthropic-ai/claude-agent-sdk @modelcontextprotocol/sdk zod`
 */

import { createSdkMcpServer, tool } from '@anthropic-ai/claude-agent-sdk';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { CacheManager } from 'toolstash';
import { z } from 'zod';

let runs = 0;
const search = tool('search', 'Finds flights', { to: z.string() }, async ({ to }) => {
  runs += 1;
  return { content: [{ type: 'text', text: `${to} 9:05, ${to} 13:40` }] };
});

const cache = new CacheManager();
const tools = cache.tools([search], { search: { ttl: '10m' } });
const server = createSdkMcpServer({ name: 'flights', tools });

const [ours, theirs] = InMemoryTransport.createLinkedPair();
const client = new Client({ name: 'example', version: '1' });
await Promise.all([server.instance.connect(theirs), client.connect(ours)]);
const calls = Array.from({ length: 8 }, () => client.callTool({ name: 'search', arguments: { to: 'Rome' } }));
const [result] = await Promise.all(calls);
await client.close();

console.log(JSON.stringify(result?.content), `${calls.length} calls, the search ran:`, runs);
// for await (const message of query({ prompt: 'When can I fly to Rome?', options: { mcpServers: { flights: server } } }))
//   console.log(message);
