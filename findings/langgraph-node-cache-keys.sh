#!/usr/bin/env bash
# LangGraph's node cache answers a node with what it said of another input: a Map, a Set, `{}` and `{ x: undefined }` share
# one key whatever they hold, as the key is the JSON of the state.
#
# Seen with @langchain/langgraph 1.7.3 and its InMemoryCache: a node with a `cachePolicy` is asked with a Map that says
# "Rome", then with one that says "Oslo", then with `{}`; it runs once, and all three get what was found for Rome. Maps and
# Sets are values that its state channels take and its checkpointers keep. Of the run's `configurable`, such as a user's id, the key
# holds nothing either.
#
# Needs node and npm. Exit code 0: LangGraph still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/core@1.4.0 @langchain/langgraph@1.7.3 \
  @langchain/langgraph-checkpoint@1.2.2 || exit 2

cat > graph.js <<'JS'
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { InMemoryCache } from '@langchain/langgraph-checkpoint';

let runs = 0;
const look = ({ asked }) => {
  runs += 1;
  return { found: asked instanceof Map ? `weather in ${asked.get('city')}` : 'nothing asked' };
};
const graph = new StateGraph(Annotation.Root({ asked: Annotation(), found: Annotation() }))
  .addNode('look', look, { cachePolicy: { ttl: 60 } })
  .addEdge(START, 'look')
  .addEdge('look', END)
  .compile({ cache: new InMemoryCache() });
const asked = [new Map([['city', 'Rome']]), new Map([['city', 'Oslo']]), {}];
const found = [];
for (const each of asked) found.push((await graph.invoke({ asked: each })).found);
console.log(`${found.join('; ')}; runs: ${runs}`);
JS
seen=$(node graph.js)
echo "$seen"
if [[ $seen == "weather in Rome; weather in Rome; weather in Rome; runs: 1" ]]; then
  echo "as described: Oslo was told Rome's weather, and so was who asked nothing"
else
  echo "changed: expected one run whose answer all three inputs get"; exit 1
fi
