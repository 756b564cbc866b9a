/** Cached clients of version 1 of the MCP SDK. */

import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { cacheClient } from '../../src/mcp/index.js';
import { librariesOf } from '../helper/libraries.js';
import { sdk1, sdk2, sdk2Modern, type Tools } from './sdk.js';
import { describeSdk } from './suite.js';

const load = await librariesOf(new URL('../frameworks/', import.meta.url));
const sdk = sdk1(load);
const { z } = load('zod') as typeof import('zod');
const everybody = { server: 'docs', principal: null } as const;

describeSdk(sdk);

describe('version 1 alone', () => {
  it('is not made to check results by listing tools, and gets none that fail its checks', async () => {
    const cache = new CacheManager();
    let runs = 0;
    const answering = (outputSchema: unknown, structuredContent: object): Tools => ({
      tool: {
        definition: { outputSchema },
        run: () => ({ content: [], structuredContent, runs: ++runs }),
      },
    });
    const meters = await sdk.connect(answering(z.object({ meters: z.number() }), { meters: 1 }));
    const feet = await sdk.connect(answering(z.object({ feet: z.number() }), { feet: 3 }));
    const cached = [meters, feet].map(({ client }) => cacheClient(client, cache, { tool: {} }, everybody));
    // From now on the client checks results against the definitions that it knows.
    for (const client of cached) await client.listTools();
    for (const client of [...cached, ...cached]) await client.callTool({ name: 'tool', arguments: {} });
    expect(runs).toBe(2);
    await Promise.all(cached.map((client) => client.close()));
  });

  it('tells results by another schema apart', async () => {
    let runs = 0;
    const { client } = await sdk.connect({ tool: { run: () => `run ${++runs}` } });
    const cached = cacheClient(client, new CacheManager(), { tool: {} }, everybody);
    const params = { name: 'tool', arguments: {} };
    const contentAlone = z.object({ content: z.array(z.looseObject({})) });
    const firsts = z.object({ content: z.array(z.looseObject({})) }).transform(({ content }) => content[0]);
    for (const schema of [undefined, contentAlone, firsts, contentAlone, undefined])
      await cached.callTool(params, schema);
    expect(runs).toBe(3);
    expect(await cached.callTool(params, firsts)).toEqual({ type: 'text', text: 'run 3' });
    await client.close();
  });

  it('shares results with no client of version 2 that speaks otherwise', async () => {
    const cache = new CacheManager();
    const runs: string[] = [];
    for (const each of [sdk, sdk2, sdk2Modern]) {
      const { client } = await each.connect({ tool: { run: () => String(runs.push(each.name)) } });
      const cached = cacheClient(client, cache, { tool: {} }, everybody);
      await cached.callTool({ name: 'tool', arguments: {} });
      await client.close();
    }
    expect(runs).toEqual(['1', '2', '2 by 2026-07-28']);
  });
});
