/** The loop of LangChain: `createAgent`, with approval by a person in the middle. */

import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, type BaseMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import { tool } from '@langchain/core/tools';
import { Command, MemorySaver } from '@langchain/langgraph';
import { createAgent, humanInTheLoopMiddleware } from 'langchain';
import { z } from 'zod';
import { type MakeAgent, type Script, turnOf } from './scenario.js';

class ScriptedModel extends BaseChatModel {
  readonly #script: Script;

  constructor(script: Script) {
    super({});
    this.#script = script;
  }

  _llmType(): string {
    return 'scripted';
  }

  override bindTools(): this {
    return this;
  }

  async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const spoken = messages.filter((message) => message.getType() === 'ai').length;
    const turn = turnOf(this.#script, spoken);
    const message =
      typeof turn === 'string'
        ? new AIMessage(turn)
        : new AIMessage({
            content: '',
            tool_calls: turn.map(([name, args], at) => ({
              ...{ type: 'tool_call' as const, id: `${spoken}.${at}`, name, args: { ...args } },
            })),
          });
    return { generations: [{ text: '', message }] };
  }
}

export const langChain: MakeAgent = (world, caching) => {
  const tools = caching([
    tool((input) => world.search(input), {
      ...{ name: 'search', description: 'finds', schema: z.object({ query: z.string() }) },
    }),
    tool((input) => world.broken(input), {
      ...{ name: 'broken', description: 'fails', schema: z.object({ id: z.number() }) },
    }),
    tool((input) => world.look(input), {
      ...{ name: 'look', description: 'looks', schema: z.object({ at: z.string() }) },
    }),
    tool((input) => world.book(input), {
      ...{ name: 'book', description: 'writes', schema: z.object({ to: z.string() }) },
    }),
    tool((input, { signal }) => world.slow(input, signal), {
      ...{ name: 'slow', description: 'takes long', schema: z.object({ query: z.string() }) },
    }),
  ]);
  let threads = 0;
  return async (script, signal) => {
    threads += 1;
    const agent = createAgent({
      model: new ScriptedModel(script),
      tools,
      checkpointer: new MemorySaver(),
      middleware: [humanInTheLoopMiddleware({ interruptOn: { look: true, book: true } })],
    });
    const config = {
      ...{ configurable: { thread_id: String(threads) }, recursionLimit: 50 },
      ...(signal && { signal }),
    };
    let state = await agent.invoke({ messages: [{ role: 'user', content: 'go on' }] }, config);
    while ((state as { __interrupt__?: unknown[] }).__interrupt__ !== undefined) {
      state = await agent.invoke(new Command({ resume: { decisions: [{ type: 'approve' }] } }), config);
    }
    return state.messages.map((message) => ({
      ...{ type: message.getType(), content: message.content },
      ...{ status: (message as { status?: string }).status, calls: (message as AIMessage).tool_calls },
    }));
  };
};
