#!/usr/bin/env bash
# The client of the MCP SDK 1 checks the results of those tools alone that stand on the page of `tools/list` it was given last: each
# page makes it forget the output schemas of the pages before.
#
# Seen with @modelcontextprotocol/sdk 1.32.2. Both tools of a server declare a number and answer with a text. Before they are
# listed both answers are taken, after the first page that of its tool is refused, and after the second page it is taken
# again, as the loop over pages that the protocol asks for goes on. Whether a call fails depends on what was listed last, also by
# somebody else who shares the client, so that a result that was taken, and stored, may be one that another client refuses.
#
# Needs node and npm. Exit code 0: the package still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2 || exit 2

cat > pages.js <<'JS'
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const outputSchema = { type: 'object', properties: { degrees: { type: 'number' } }, required: ['degrees'] };
const tool = (name) => ({ name, inputSchema: { type: 'object' }, outputSchema });
const server = new Server({ name: 'weather', version: '1' }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, ({ params }) =>
  params?.cursor === 'more' ? { tools: [tool('tomorrow')] } : { tools: [tool('today')], nextCursor: 'more' },
);
server.setRequestHandler(CallToolRequestSchema, () => ({ content: [], structuredContent: { degrees: 'warm' } }));
const client = new Client({ name: 'agent', version: '1' });
const [here, there] = InMemoryTransport.createLinkedPair();
await Promise.all([server.connect(there), client.connect(here)]);

const outcome = (name) => client.callTool({ name, arguments: {} }).then(() => 'taken', () => 'refused');
const outcomes = async () => `today ${await outcome('today')}, tomorrow ${await outcome('tomorrow')}`;
console.log('nothing listed:', await outcomes());
const { nextCursor: cursor } = await client.listTools();
console.log('first page:', await outcomes());
await client.listTools({ cursor });
console.log('second page:', await outcomes());
JS
seen=$(node pages.js)
echo "$seen"
expected="nothing listed: today taken, tomorrow taken
first page: today refused, tomorrow taken
second page: today taken, tomorrow refused"
if [[ $seen == "$expected" ]]; then
  echo "as described: only the page that was listed last is checked"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
