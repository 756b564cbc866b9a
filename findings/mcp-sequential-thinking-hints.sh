#!/usr/bin/env bash
# A reference server of MCP marks a tool as read-only and idempotent whose equal calls have different results, as each call
# changes what the server holds: hints of a server are no permission to cache or to repeat.
#
# Seen with @modelcontextprotocol/server-sequential-thinking 2026.8.31: `sequentialthinking` has `readOnlyHint: true` and
# `idempotentHint: true`; the same thought sent twice is kept twice, and the second result says so.
#
# Needs node and npm. Exit code 0: the server still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2 \
  @modelcontextprotocol/server-sequential-thinking@2026.8.31 || exit 2

cat > think.js <<'JS'
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const client = new Client({ name: 'thinker', version: '1' });
const command = 'node_modules/.bin/mcp-server-sequential-thinking';
await client.connect(new StdioClientTransport({ command, stderr: 'ignore' }));
const [tool] = (await client.listTools()).tools;
const { readOnlyHint, idempotentHint } = tool.annotations;
const call = {
  name: tool.name,
  arguments: { thought: 'the same', nextThoughtNeeded: true, thoughtNumber: 1, totalThoughts: 2 },
};
const lengths = [];
for (let turn = 0; turn < 2; turn += 1) {
  const { content } = await client.callTool(call);
  lengths.push(JSON.parse(content[0].text).thoughtHistoryLength);
}
await client.close();
console.log(`readOnlyHint ${readOnlyHint}, idempotentHint ${idempotentHint}, thoughts kept: ${lengths.join(', then ')}`);
JS
seen=$(node think.js)
echo "$seen"
if [[ $seen == "readOnlyHint true, idempotentHint true, thoughts kept: 1, then 2" ]]; then
  echo "as described: a tool that changes the server is said to change nothing"
else
  echo "changed: expected hints that the results belie"; exit 1
fi
