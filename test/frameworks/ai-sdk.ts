/** The loop of the AI SDK, in both majors: `generateText` with approval, `streamText` with preliminary results. */

import * as ai6 from 'ai-6';
import { MockLanguageModelV3 } from 'ai-6/test';
import * as ai7 from 'ai-7';
import { MockLanguageModelV4 } from 'ai-7/test';
import { z } from 'zod';
import { type Agent, type MakeAgent, type Script, turnOf, type World } from './scenario.js';

const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } } as never;

type Said =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: string;
    };

/** What the model says next, as the providers of both majors say it. */
function contentOf(script: Script, prompt: readonly { readonly role: string }[]) {
  const spoken = prompt.filter(({ role }) => role === 'assistant').length;
  const turn = turnOf(script, spoken);
  const content: readonly Said[] =
    typeof turn === 'string'
      ? [{ type: 'text', text: turn }]
      : turn.map(([toolName, input], at) => ({
          type: 'tool-call',
          toolCallId: `${spoken}.${at}`,
          ...{ toolName, input: JSON.stringify(input) },
        }));
  const unified = typeof turn === 'string' ? ('stop' as const) : ('tool-calls' as const);
  return { content, finishReason: { unified, raw: undefined } };
}

function streamOf({ content, finishReason }: ReturnType<typeof contentOf>) {
  const parts: object[] = [
    { type: 'stream-start', warnings: [] },
    ...content.flatMap((part): object[] =>
      part.type === 'text'
        ? [
            { type: 'text-start', id: '1' },
            { type: 'text-delta', id: '1', delta: part.text },
            { type: 'text-end', id: '1' },
          ]
        : [part],
    ),
    { type: 'finish', finishReason, usage },
  ];
  return { stream: ReadableStream.from(parts) } as never;
}

function modelOptions(script: Script) {
  return {
    doGenerate: async ({ prompt }: { prompt: readonly { readonly role: string }[] }) =>
      ({ ...contentOf(script, prompt), usage, warnings: [] }) as never,
    doStream: async ({ prompt }: { prompt: readonly { readonly role: string }[] }) =>
      streamOf(contentOf(script, prompt)),
  };
}

function toolsOf({ tool }: Pick<typeof ai6, 'tool'>, world: World) {
  return {
    search: tool({
      inputSchema: z.object({ query: z.string() }),
      execute: (input) => world.search(input),
      // Runs on answers from the cache too.
      toModelOutput: ({ output }) => ({ type: 'text', value: `model sees: ${output}` }),
    }),
    broken: tool({ inputSchema: z.object({ id: z.number() }), execute: (input) => world.broken(input) }),
    look: tool({
      inputSchema: z.object({ at: z.string() }),
      needsApproval: true,
      execute: (input) => world.look(input),
    }),
    book: tool({
      inputSchema: z.object({ to: z.string() }),
      needsApproval: true,
      execute: (input) => world.book(input),
    }),
    watch: tool({
      inputSchema: z.object({ site: z.string() }),
      async *execute(input) {
        yield* world.watch(input);
      },
    }),
    slow: tool({
      inputSchema: z.object({ query: z.string() }),
      execute: (input, { abortSignal }) => world.slow(input, abortSignal),
    }),
  };
}

/** Majors differ in types that don't matter here: what is called is the same. */
function generating(ai: typeof ai6, modelFor: (script: Script) => ai6.LanguageModel): MakeAgent {
  return (world, caching): Agent => {
    const tools = caching(toolsOf(ai, world));
    return async (script, abortSignal) => {
      const messages: ai6.ModelMessage[] = [{ role: 'user', content: 'go on' }];
      for (;;) {
        const result = await ai.generateText({
          ...{ model: modelFor(script), tools, messages, stopWhen: ai.stepCountIs(20), maxRetries: 0 },
          ...(abortSignal && { abortSignal }),
        });
        messages.push(...messagesOf(result));
        const asked = result.content.filter((part) => part.type === 'tool-approval-request');
        if (asked.length === 0) return { messages: withoutIds(messages), text: result.text };
        messages.push({
          role: 'tool',
          content: asked.map(({ approvalId }) => ({
            ...{ type: 'tool-approval-response', approvalId, approved: true },
          })),
        });
      }
    };
  };
}

function streaming(ai: typeof ai6, modelFor: (script: Script) => ai6.LanguageModel): MakeAgent {
  return (world, caching): Agent => {
    const { book: _, look: __, ...tools } = caching(toolsOf(ai, world));
    return async (script, abortSignal) => {
      const result = ai.streamText({
        ...{ model: modelFor(script), tools, prompt: 'go on', stopWhen: ai.stepCountIs(20) },
        ...(abortSignal && { abortSignal }),
        onError: () => undefined,
      });
      const results: unknown[] = [];
      for await (const part of result.fullStream) {
        if (part.type === 'tool-result')
          results.push([part.toolName, part.output, part.preliminary === true]);
        if (part.type === 'tool-error') results.push([part.toolName, String(part.error)]);
      }
      return { results: inCallOrder(results), messages: withoutIds(await saidBy(result)) };
    };
  };
}

interface Answer {
  readonly response: ai6.GenerateTextResult<ai6.ToolSet, never>['response'];
}

/** All that was said: in 7 `response` holds the last step alone. */
function messagesOf(result: Answer): ai6.ModelMessage[] {
  const { responseMessages } = result as { readonly responseMessages?: ai6.ModelMessage[] };
  return responseMessages ?? result.response.messages;
}

async function saidBy(result: { readonly response: PromiseLike<{ readonly messages: unknown }> }) {
  const { responseMessages } = result as { readonly responseMessages?: PromiseLike<unknown> };
  return (await responseMessages) ?? (await result.response).messages;
}

/** Calls of one turn run side by side: who is first is a matter of chance. */
function inCallOrder(results: readonly unknown[]): readonly unknown[] {
  return [...results].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function withoutIds(messages: unknown): unknown {
  return JSON.parse(JSON.stringify(messages, (name, value) => (name === 'approvalId' ? 'an id' : value)));
}

const sdk7 = ai7 as unknown as typeof ai6;
const model6 = (script: Script) => new MockLanguageModelV3(modelOptions(script));
const model7 = (script: Script) =>
  new MockLanguageModelV4(modelOptions(script)) as unknown as ai6.LanguageModel;

export const generateText6 = generating(ai6, model6);
export const generateText7 = generating(sdk7, model7);
export const streamText6 = streaming(ai6, model6);
export const streamText7 = streaming(sdk7, model7);
