#!/usr/bin/env bash
# An agent on LangGraph loses a message of its transcript where LangChain's own cache answers its model: the cache hands out the
# very message that it stored, which by then has an id, and messages of one id replace each other.
#
# Seen with @langchain/core 1.4.0 (`cache: new InMemoryCache()` on the model) and @langchain/langgraph 1.7.3
# (`MessagesAnnotation`). Two nodes of a graph ask the model the same: without a cache there are three messages in the end, with
# it two, and the answer that the first node got is gone. `messagesStateReducer` writes an id into a message that has none, and so
# into the object that lies in the cache. With another copy of the message, without its id, both stay.
#
# Needs node and npm. Exit code 0: the packages still do so; 1: they behave differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/core@1.4.0 @langchain/langgraph@1.7.3 || exit 2

cat > graph.js <<'JS'
import { InMemoryCache } from '@langchain/core/caches';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { END, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';

async function transcript(cache) {
  const model = new FakeListChatModel({ responses: ['yes'], cache });
  const judge = async () => ({ messages: [await model.invoke('Is this page safe?')] });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode('before', judge)
    .addNode('after', judge)
    .addEdge(START, 'before')
    .addEdge('before', 'after')
    .addEdge('after', END)
    .compile();
  const { messages } = await graph.invoke({ messages: [{ role: 'user', content: 'Read it.' }] });
  return messages.map((message) => `${message.getType()} "${message.content}"`).join(', ');
}

console.log('without a cache:', await transcript(undefined));
console.log('with a cache:', await transcript(new InMemoryCache()));
JS
seen=$(node graph.js)
echo "$seen"
expected='without a cache: human "Read it.", ai "yes", ai "yes"
with a cache: human "Read it.", ai "yes"'
if [[ $seen == "$expected" ]]; then
  echo "as described: the first answer is gone from the transcript"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
