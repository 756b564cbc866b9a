/** The loop of OpenAI Agents: `run`, with approval by interruption. */

import {
  type AgentOutputItem,
  type Model,
  Agent as OpenAiAgent,
  run,
  setTracingDisabled,
  tool,
  Usage,
} from '@openai/agents';
import { z } from 'zod';
import { type MakeAgent, type Script, turnOf } from './scenario.js';

setTracingDisabled(true);

function modelOf(script: Script): Model {
  return {
    async getResponse({ input }) {
      const items = typeof input === 'string' ? [] : input;
      // Calls of one turn come together: what stands between results and other things is a turn.
      const spoken = items.filter(
        (item, at) => item.type === 'function_call' && items[at - 1]?.type !== 'function_call',
      ).length;
      const turn = turnOf(script, spoken);
      const output: AgentOutputItem[] =
        typeof turn === 'string'
          ? [
              {
                ...{ type: 'message', role: 'assistant', status: 'completed' },
                content: [{ type: 'output_text', text: turn }],
              },
            ]
          : turn.map(([name, input], at) => ({
              ...{ type: 'function_call', callId: `${spoken}.${at}`, name, status: 'completed' },
              arguments: JSON.stringify(input),
            }));
      return { usage: new Usage(), output };
    },
    getStreamedResponse() {
      throw new Error('Expected no stream to be asked for');
    },
  };
}

export const openAiAgents: MakeAgent = (world, caching) => {
  const definitions = caching([
    {
      ...{ name: 'search', description: 'finds', parameters: z.object({ query: z.string() }) },
      execute: (input: { query: string }) => world.search(input),
    },
    {
      ...{ name: 'broken', description: 'fails', parameters: z.object({ id: z.number() }) },
      execute: (input: { id: number }) => world.broken(input),
    },
    {
      ...{
        name: 'look',
        description: 'looks',
        parameters: z.object({ at: z.string() }),
        needsApproval: true,
      },
      execute: (input: { at: string }) => world.look(input),
    },
    {
      ...{
        name: 'book',
        description: 'writes',
        parameters: z.object({ to: z.string() }),
        needsApproval: true,
      },
      execute: (input: { to: string }) => world.book(input),
    },
    {
      ...{ name: 'slow', description: 'takes long', parameters: z.object({ query: z.string() }) },
      execute: (input: { query: string }, _run?: unknown, details?: { signal?: AbortSignal }) =>
        world.slow(input, details?.signal),
    },
  ] as const);
  const [search, broken, look, book, slow] = definitions;
  const tools = [tool(search), tool(broken), tool(look), tool(book), tool(slow)];
  return async (script, signal) => {
    const agent = new OpenAiAgent({ name: 'agent', model: modelOf(script), tools });
    const options = { maxTurns: 20, ...(signal && { signal }) };
    let result = await run(agent, 'go on', options);
    while (result.interruptions.length > 0) {
      for (const each of result.interruptions) result.state.approve(each);
      result = await run(agent, result.state, options);
    }
    return { history: result.history, output: result.finalOutput };
  };
};
