/**
 * `query` of the Claude Agent SDK, whose tools are in the MCP server that the SDK makes of them. In place of Claude Code,
 * which asks a model over the network, a script calls them.
 */

import { createSdkMcpServer, query, tool } from '@anthropic-ai/claude-agent-sdk';
import { z } from 'zod';
import { scriptedClaudeCode } from './claude-code.js';
import type { MakeAgent } from './scenario.js';

const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

export const claudeAgentSdk: MakeAgent = (world, caching) => {
  const tools = caching([
    tool('search', 'finds', { query: z.string() }, async (input) => said(await world.search(input))),
    tool('broken', 'fails', { id: z.number() }, async (input) => ({
      // The convention of MCP: what the model shall see of an error.
      ...said(await world.broken(input).catch(String)),
      isError: true,
    })),
    tool('look', 'looks', { at: z.string() }, async (input) => said(await world.look(input))),
    tool('book', 'writes', { to: z.string() }, async (input) => said(await world.book(input))),
    tool('slow', 'takes long', { query: z.string() }, async (input, extra) =>
      said(await world.slow(input, (extra as { signal: AbortSignal }).signal)),
    ),
  ]);
  return async (script, signal) => {
    const server = createSdkMcpServer({ name: 'tools', tools: [...tools] as never });
    const options = {
      mcpServers: { tools: server },
      // Looked for, though nothing runs it.
      pathToClaudeCodeExecutable: 'claude',
      spawnClaudeCodeProcess: () => scriptedClaudeCode('tools', script, signal),
    };
    const transcript: unknown[] = [];
    for await (const message of query({ prompt: 'go on', options })) {
      if (message.type === 'user') transcript.push(message.message.content);
      if (message.type === 'result')
        transcript.push([message.subtype, 'result' in message && message.result]);
    }
    return transcript;
  };
};
