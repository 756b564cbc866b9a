/**
 * Eight rollouts of an AI SDK agent at once: the search runs once, the booking each time. The model is scripted.
 * `npm install toolstash ai@6 zod`; in version 7 the mock is called `MockLanguageModelV4`.
 */

import { generateText, stepCountIs, tool } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { CacheManager } from 'toolstash';
import { z } from 'zod';

const runs = { search: 0, book: 0 };
const search = tool({
  description: 'Finds flights',
  inputSchema: z.object({ to: z.string() }),
  execute: async ({ to }) => {
    runs.search += 1;
    return [`${to} 9:05`, `${to} 13:40`];
  },
});
const bookFlight = tool({
  description: 'Books a flight',
  inputSchema: z.object({ flight: z.string() }),
  execute: async ({ flight }) => {
    runs.book += 1;
    return `booked ${flight}`;
  },
});

const cache = new CacheManager();
const tools = cache.tools({ search, bookFlight }, { search: { ttl: '10m' }, 'book*': 'write' });

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const turns = [
  ['search', { to: 'Rome' }],
  ['bookFlight', { flight: 'Rome 9:05' }],
] as const;
const model = new MockLanguageModelV3({
  doGenerate: async ({ prompt }) => {
    const turn = turns[prompt.filter(({ role }) => role === 'assistant').length];
    const unified = turn === undefined ? ('stop' as const) : ('tool-calls' as const);
    const finish = { finishReason: { unified, raw: undefined }, usage, warnings: [] };
    if (turn === undefined) return { content: [{ type: 'text', text: 'Have a good trip.' }], ...finish };
    const [toolName, input] = turn;
    const call = { type: 'tool-call', toolCallId: toolName, toolName, input: JSON.stringify(input) } as const;
    return { content: [call], ...finish };
  },
});

const rollouts = Array.from({ length: 8 }, () =>
  generateText({ model, tools, prompt: 'Book me a flight to Rome.', stopWhen: stepCountIs(5) }),
);
const answers = await Promise.all(rollouts);

console.log(answers[0]?.text, `${answers.length} rollouts:`, runs);
