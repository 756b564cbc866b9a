/**
 * Eight rollouts of an OpenAI agent at once: the search runs once. The tools are cached before `tool()` makes them. The
 * model is scripted. `npm install toolstash @openai/agents zod`
 */

import {
  Agent,
  type AgentOutputItem,
  type Model,
  run,
  setTracingDisabled,
  tool,
  Usage,
} from '@openai/agents';
import { CacheManager } from 'toolstash';
import { z } from 'zod';

setTracingDisabled(true);

let runs = 0;
const search = {
  name: 'search',
  description: 'Finds flights',
  parameters: z.object({ to: z.string() }),
  execute: async ({ to }: { to: string }) => {
    runs += 1;
    return [`${to} 9:05`, `${to} 13:40`];
  },
};

const cache = new CacheManager();
const tools = cache.tools([search], { search: { ttl: '10m' } }).map((each) => tool(each));

const call: AgentOutputItem = {
  type: 'function_call',
  callId: '1',
  name: 'search',
  arguments: '{"to":"Rome"}',
  status: 'completed',
};
const answer: AgentOutputItem = {
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'There is one at 9:05.' }],
};
const model: Model = {
  getResponse: async ({ input }) => {
    const isCalled = typeof input !== 'string' && input.some(({ type }) => type === 'function_call');
    return { usage: new Usage(), output: [isCalled ? answer : call] };
  },
  getStreamedResponse() {
    throw new Error('This model does not stream');
  },
};

const agent = new Agent({ name: 'traveller', model, tools });
const rollouts = Array.from({ length: 8 }, () => run(agent, 'When can I fly to Rome?'));
const answers = await Promise.all(rollouts);

console.log(answers[0]?.finalOutput, `${answers.length} rollouts, the search ran:`, runs);
