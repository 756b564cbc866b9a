/** The loop of Mastra's `Agent`, in both majors. */

import { Agent as Agent0 } from 'mastra-0/agent';
import { createTool as createTool0 } from 'mastra-0/tools';
import { Agent as Agent1 } from 'mastra-1/agent';
import { createTool as createTool1 } from 'mastra-1/tools';
import { z } from 'zod';
import { type MakeAgent, type Script, turnOf, type World } from './scenario.js';

const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };

/**
 * A model of the AI SDK's second specification, which both majors take. By its name 1 adapts the schemas of tools to it, and
 * validates inputs itself.
 */
export function modelOf(script: Script) {
  return {
    ...{ specificationVersion: 'v2', provider: 'openai.chat', modelId: 'gpt-4o', supportedUrls: {} },
    async doGenerate({ prompt }: { prompt: unknown }) {
      return { ...contentOf(script, prompt), warnings: [] };
    },
    async doStream({ prompt }: { prompt: unknown }) {
      const { content, ...finish } = contentOf(script, prompt);
      const parts: object[] = [
        { type: 'stream-start', warnings: [] },
        { type: 'response-metadata', id: 'response', modelId: 'gpt-4o', timestamp: new Date(0) },
        ...content.flatMap((part): object[] =>
          part.type === 'text'
            ? [
                { type: 'text-start', id: '1' },
                { type: 'text-delta', id: '1', delta: part.text },
                { type: 'text-end', id: '1' },
              ]
            : [part],
        ),
        { type: 'finish', ...finish },
      ];
      return { stream: ReadableStream.from(parts) };
    },
  };
}

type Said =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: string;
    };

/** What the model says next. */
function contentOf(script: Script, prompt: unknown) {
  // Turns may come as one message: the ids of calls tell them apart.
  const ids = JSON.stringify(prompt).matchAll(/"toolCallId":"(\d+)\./g);
  const spoken = Math.max(-1, ...Array.from(ids, ([, turn]) => Number(turn))) + 1;
  const turn = turnOf(script, spoken);
  const isLast = typeof turn === 'string';
  const content: readonly Said[] = isLast
    ? [{ type: 'text', text: turn }]
    : turn.map(([toolName, input], at) => ({
        ...{ type: 'tool-call', toolCallId: `${spoken}.${at}`, toolName, input: JSON.stringify(input) },
      }));
  return { content, finishReason: isLast ? 'stop' : 'tool-calls', usage };
}

const schemas = {
  search: z.object({ query: z.string() }),
  broken: z.object({ id: z.number() }),
  look: z.object({ at: z.string() }),
  book: z.object({ to: z.string() }),
  slow: z.object({ query: z.string() }),
};
/** Validated twice it would be refused: what the tool gets is no longer what the schema takes. Mastra 0 does that itself. */
const transforming = z.object({ id: z.number().transform((id) => String(id)) });

const described = (id: keyof typeof schemas) => ({ id, description: `to ${id}`, inputSchema: schemas[id] });

interface Generated {
  readonly text: string;
  readonly response: { readonly messages?: unknown };
}

/** What an agent of either major does for a script. */
type Generate<T> = (script: Script, tools: T, signal: AbortSignal | undefined) => Promise<Generated>;

function looping<T extends object>(toolsOf: (world: World) => T, generate: Generate<T>): MakeAgent {
  return (world, caching) => {
    const tools = caching(toolsOf(world));
    return async (script, signal) => {
      const { text, response } = await generate(script, tools, signal);
      return { text, messages: JSON.parse(JSON.stringify(response.messages, withoutIds)) as unknown };
    };
  };
}

function withoutIds(name: string, value: unknown): unknown {
  return ['id', 'createdAt'].includes(name) ? undefined : value;
}

const toolsOf0 = (world: World) => ({
  search: createTool0({ ...described('search'), execute: ({ context }) => world.search(context as never) }),
  broken: createTool0({
    ...described('broken'),
    execute: ({ context }) => world.broken(context as never),
  }),
  look: createTool0({ ...described('look'), execute: ({ context }) => world.look(context as never) }),
  book: createTool0({ ...described('book'), execute: ({ context }) => world.book(context as never) }),
  slow: createTool0({
    ...described('slow'),
    execute: ({ context }, options) => world.slow(context as never, options?.abortSignal),
  }),
});

const toolsOf1 = (world: World) => ({
  search: createTool1({ ...described('search'), execute: (input) => world.search(input as never) }),
  broken: createTool1({
    ...described('broken'),
    inputSchema: transforming,
    execute: (input) => world.broken({ id: Number((input as { id: string }).id) }),
  }),
  look: createTool1({ ...described('look'), execute: (input) => world.look(input as never) }),
  book: createTool1({ ...described('book'), execute: (input) => world.book(input as never) }),
  slow: createTool1({
    ...described('slow'),
    execute: (input, context) => world.slow(input as never, context.abortSignal),
  }),
});

export const mastra0 = looping(toolsOf0, async (script, tools, signal) => {
  const agent = new Agent0({ name: 'agent', instructions: '', model: modelOf(script) as never, tools });
  const options = { maxSteps: 20, ...(signal && { abortSignal: signal }) };
  return (await agent.generate('go on', options)) as Generated;
});

export const mastra1 = looping(toolsOf1, async (script, tools, signal) => {
  const agent = new Agent1({
    ...{ id: 'agent', name: 'agent', instructions: '', model: modelOf(script) as never, tools },
  });
  const options = { maxSteps: 20, ...(signal && { abortSignal: signal }) };
  return (await agent.generate('go on', options)) as Generated;
});
