#!/usr/bin/env bash
# A LangChain middleware that only passes tool calls on changes what an agent does when a tool fails: without it the model
# is told of the error and goes on; with it the whole run rejects.
#
# Seen with langchain 1.5.14: `wrapToolCall: (request, handler) => handler(request)` is enough. Who adds a middleware for
# logging, timing or caching turns every tool error that the model would have mended into a failed run, and a test without
# failing tools doesn't show it.
#
# Needs node and npm. Exit code 0: LangChain still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts langchain@1.5.14 @langchain/core@1.4.0 zod@4.6.7 || exit 2

cat > agent.js <<'JS'
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage } from '@langchain/core/messages';
import { createAgent, createMiddleware, tool } from 'langchain';
import { z } from 'zod';

/** Asks for the tool once, and then is content. */
class ScriptedModel extends BaseChatModel {
  _llmType() {
    return 'scripted';
  }
  bindTools() {
    return this;
  }
  async _generate(messages) {
    const isAnswered = messages.some((message) => message.getType() === 'tool');
    const call = { name: 'find_row', args: { id: 7 }, id: 'call-1', type: 'tool_call' };
    const message = isAnswered ? new AIMessage('done') : new AIMessage({ content: '', tool_calls: [call] });
    return { generations: [{ text: '', message }] };
  }
}

const findRow = tool(
  async () => {
    throw new Error('no such row');
  },
  { name: 'find_row', description: 'Finds a row.', schema: z.object({ id: z.number() }) },
);
const passOn = createMiddleware({ name: 'PassOn', wrapToolCall: (request, handler) => handler(request) });
for (const middleware of [[], [passOn]]) {
  const agent = createAgent({ model: new ScriptedModel({}), tools: [findRow], middleware });
  const messages = [{ role: 'user', content: 'find row 7' }];
  const came = await agent.invoke({ messages }).then(
    (state) => `the agent says: ${state.messages.at(-1).content}`,
    (error) => `rejected: ${error.message}`,
  );
  console.log(`${middleware.length} middlewares: ${came}`);
}
JS
seen=$(node agent.js)
echo "$seen"
if [[ $seen == $'0 middlewares: the agent says: done\n1 middlewares: rejected: no such row' ]]; then
  echo "as described: a middleware that changes nothing turns a tool's error into a failed run"
else
  echo "changed: expected the run to go on without the middleware and to reject with it"; exit 1
fi
