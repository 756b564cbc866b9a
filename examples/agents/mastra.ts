/**
 * Eight rollouts of a Mastra agent at once: the search runs once. The model is scripted.
 * `npm install toolstash @mastra/core zod`; in Mastra 0, which npm picks on Node 20, `execute` takes `{ context }`.
 */

import { Agent } from '@mastra/core/agent';
import { createTool } from '@mastra/core/tools';
import { CacheManager } from 'toolstash';
import { z } from 'zod';

let runs = 0;
const search = createTool({
  id: 'search',
  description: 'Finds flights',
  inputSchema: z.object({ to: z.string() }),
  execute: async ({ to }) => {
    runs += 1;
    return { flights: [`${to} 9:05`, `${to} 13:40`] };
  },
});

const cache = new CacheManager();
const tools = cache.tools({ search }, { search: { ttl: '10m' } });

const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
const call = { type: 'tool-call', toolCallId: '1', toolName: 'search', input: '{"to":"Rome"}' } as const;
const answer = { type: 'text', text: 'There is one at 9:05.' } as const;
const model = {
  ...({ specificationVersion: 'v2', provider: 'scripted', modelId: 'scripted', supportedUrls: {} } as const),
  doGenerate: async ({ prompt }: { prompt: readonly { readonly role: string }[] }) =>
    prompt.some(({ role }) => role === 'tool')
      ? { content: [answer], finishReason: 'stop' as const, usage, warnings: [] }
      : { content: [call], finishReason: 'tool-calls' as const, usage, warnings: [] },
  doStream: async () => {
    throw new Error('This model does not stream');
  },
};

const agent = new Agent({ id: 'traveller', name: 'traveller', instructions: 'Find flights.', model, tools });
const rollouts = Array.from({ length: 8 }, () => agent.generate('When can I fly to Rome?'));
const answers = await Promise.all(rollouts);

console.log(answers[0]?.text, `${answers.length} rollouts, the search ran:`, runs);
