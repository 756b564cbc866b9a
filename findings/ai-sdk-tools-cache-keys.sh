#!/usr/bin/env bash
# @ai-sdk-tools/cache answers one tool with the result of another that was called with the same arguments: keys of tools that
# `createCached` makes hold the arguments and not the tool.
#
# Seen with @ai-sdk-tools/cache 1.2.0, for the AI SDK: `weather({ city: 'Rome' })`, then `hotels({ city: 'Rome' })`, cached by one
# `createCached()`, as its README begins. The second tool never runs, and the model is told the weather
# for hotels. `cached(tool)` alone has a store for each tool. A `keyGenerator` of one's own can name the tool.
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
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk-tools/cache@1.2.0 ai@5.0.277 || exit 2

cat > tools.js <<'JS'
import { createCached } from '@ai-sdk-tools/cache';
import { jsonSchema, tool } from 'ai';

const inputSchema = jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] });
const of = (what) =>
  tool({ description: `Finds ${what}.`, inputSchema, execute: async ({ city }) => `${what} in ${city}` });
const cached = createCached();
const [weather, hotels] = [cached(of('weather')), cached(of('hotels'))];
const options = { toolCallId: 'call-1', messages: [] };
const input = { city: 'Rome' };
console.log(`${await weather.execute(input, options)}; ${await hotels.execute(input, options)}`);
JS
seen=$(node tools.js)
echo "$seen"
if [[ $seen == "weather in Rome; weather in Rome" ]]; then
  echo "as described: who asks for hotels is told the weather"
else
  echo "changed: expected the second tool to be answered with the first one's result"; exit 1
fi
