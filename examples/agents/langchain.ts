/**
 * Eight rollouts of a LangChain agent at once: the search runs once. The model is scripted.
 * `npm install toolstash langchain @langchain/core zod`
 */

import { AIMessage, createAgent, fakeModel, tool } from 'langchain';
import { CacheManager } from 'toolstash';
import { z } from 'zod';

let runs = 0;
const search = tool(
  async ({ to }) => {
    runs += 1;
    return `${to} 9:05, ${to} 13:40`;
  },
  { name: 'search', description: 'Finds flights', schema: z.object({ to: z.string() }) },
);

const cache = new CacheManager();
const tools = cache.tools([search], { search: { ttl: '10m' } });

const rollouts = Array.from({ length: 8 }, () => {
  const model = fakeModel()
    .respondWithTools([{ name: 'search', args: { to: 'Rome' } }])
    .respond(new AIMessage('There is one at 9:05.'));
  return createAgent({ model, tools }).invoke({
    messages: [{ role: 'user', content: 'When can I fly to Rome?' }],
  });
});
const answers = await Promise.all(rollouts);

console.log(answers[0]?.messages.at(-1)?.content, `${answers.length} rollouts, the search ran:`, runs);
