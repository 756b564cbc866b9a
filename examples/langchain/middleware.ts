/**
 * Eight rollouts of a LangChain agent at once, whose middleware caches: the search runs once, what books runs each time.
 * The model is scripted. `npm install toolstash langchain @langchain/core zod`
 */

import { AIMessage, createAgent, fakeModel, ToolMessage, tool } from 'langchain';
import { CacheManager } from 'toolstash';
import { cacheMiddleware } from 'toolstash/langchain';
import { z } from 'zod';

const runs = { search: 0, book: 0 };
const search = tool(
  async ({ to }) => {
    runs.search += 1;
    return `${to} 9:05, ${to} 13:40`;
  },
  { name: 'search', description: 'Finds flights', schema: z.object({ to: z.string() }) },
);
const book = tool(
  async ({ at }) => {
    runs.book += 1;
    return `booked ${at}`;
  },
  { name: 'book', description: 'Books a flight', schema: z.object({ at: z.string() }) },
);

const cache = new CacheManager();
const rules = { search: { ttl: '10m' }, 'book*': 'write', '*': 'opaque' } as const;

const rollouts = Array.from({ length: 8 }, () => {
  const model = fakeModel()
    .respondWithTools([{ name: 'search', args: { to: 'Rome' } }])
    .respondWithTools([{ name: 'book', args: { at: '9:05' } }])
    .respond(new AIMessage('Have a good trip.'));
  const middleware = [cacheMiddleware(cache, rules, { ToolMessage })];
  return createAgent({ model, tools: [search, book], middleware }).invoke({
    messages: [{ role: 'user', content: 'I want to fly to Rome.' }],
  });
});
const answers = await Promise.all(rollouts);

console.log(answers[0]?.messages.at(-1)?.content, `${answers.length} rollouts:`, runs);
