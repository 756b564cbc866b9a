/** Agents of LangChain whose models make the calls that a test says. */

import { AIMessage, createAgent, fakeModel, tool } from 'langchain';
import { z } from 'zod';

export type Tool = ReturnType<typeof toolNamed>;
export type Call = readonly [name: string, args: object];
export type Agent = ReturnType<typeof agentOf>;

export function toolNamed(
  name: string,
  run: (input: Record<string, unknown>, config: Record<string, unknown>) => unknown,
  fields: object = {},
) {
  return tool(run as never, {
    ...{ name, description: name, schema: z.looseObject({}) },
    ...fields,
  }) as unknown as object;
}

/** An agent whose model makes these calls, one turn each, and then ends. */
export function agentOf(tools: readonly Tool[], turns: readonly (readonly Call[])[], more: object = {}) {
  let model = fakeModel();
  for (const [turn, calls] of turns.entries())
    model = model.respondWithTools(
      calls.map(([name, args], at) => ({ name, args: args as never, id: `${turn}.${at}` })),
    );
  model = model.respond(new AIMessage('done'));
  return createAgent({ model, tools: tools as never, ...more });
}

/** What an agent is asked. */
export const go = { messages: [{ role: 'user' as const, content: 'go on' }] };
