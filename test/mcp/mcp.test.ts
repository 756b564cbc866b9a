/** Cached clients of version 2 of the MCP SDK, and what `cacheClient` refuses. */

import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { cacheClient } from '../../src/mcp/index.js';
import { sdk2, sdk2Modern } from './sdk.js';
import { describeSdk } from './suite.js';

describeSdk(sdk2);
describeSdk(sdk2Modern);

const none = async () => undefined;
const client = { callTool: none, listTools: none, request: none, getServerVersion: () => undefined };

it.each([
  [
    'no client',
    [{ callTool: none }, new CacheManager(), {}],
    'with a `Client` of `@modelcontextprotocol/sdk`',
  ],
  ['undefined', [undefined, new CacheManager(), {}], 'got `undefined`'],
  ['no cache', [client, new Map(), {}], 'with a `CacheManager`, got `Map(0) {}`'],
  ['no rules', [client, new CacheManager()], 'Expected `rules` to be an object of rules'],
  [
    'a wrong rule',
    [client, new CacheManager(), { a: 'read' }],
    "Expected the rule `a` to be 'write', 'opaque'",
  ],
  ['a wrong option', [client, new CacheManager(), { 'a*': { ttl: 'soon' } }], 'Wrong rule `a*`: '],
  ['collect', [client, new CacheManager(), { a: { collect: true } }], 'leave it out'],
  ['wrong options', [client, new CacheManager(), {}, 'docs'], "got `'docs'`"],
  ['an unknown option', [client, new CacheManager(), {}, { sever: 'docs' }], 'did you mean `server`?'],
  ['a wrong provenance', [client, new CacheManager(), {}, { provenance: 1 }], 'Expected `provenance`'],
  ['an empty server', [client, new CacheManager(), {}, { server: '', principal: null }], 'Expected `server`'],
  ['a server without principal', [client, new CacheManager(), {}, { server: 'docs' }], '`principal: null`'],
  ['a wrong principal', [client, new CacheManager(), {}, { principal: 7 }], 'Expected `principal`'],
])('refuses %s', (_name, given, message) => {
  expect(() => Reflect.apply(cacheClient, undefined, given)).toThrow(message);
});
