#!/usr/bin/env bash
# The cache interceptor of undici 7 validates a stored response every other time alone: the 304 that says it is still right makes
# it drop what it holds, and the next request asks for all of it again. Under `max-age` with `must-revalidate` it never validates.
#
# Seen with undici 7.30.2, whatever the store: of seven requests for a page with an ETag and `no-cache`, three are conditional,
# and the page is sent four times; a cache that goes by RFC 9111 (4.3.4) updates the stored response and has it sent once. With
# `max-age=1, must-revalidate`, asked each time it is past that second, the page is sent each time.
#
# Needs node and npm, and takes some ten seconds. Exit code 0: the package still does so; 1: it behaves differently now; 2:
# something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts undici@7.30.2 || exit 2

cat > validate.js <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, interceptors, request } from 'undici';

async function sentOf(cacheControl, requests, pause) {
  const sent = [];
  const server = createServer((incoming, response) => {
    response.setHeader('cache-control', cacheControl);
    response.setHeader('etag', '"1"');
    const isCurrent = incoming.headers['if-none-match'] === '"1"';
    sent.push(isCurrent ? 304 : 200);
    response.writeHead(sent.at(-1)).end(isCurrent ? undefined : 'page');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent();
  const dispatcher = agent.compose(interceptors.cache());
  for (let at = 0; at < requests; at += 1) {
    const { body } = await request(`http://127.0.0.1:${server.address().port}/`, { dispatcher });
    if ((await body.text()) !== 'page') throw new Error('Expected the page');
    await sleep(pause);
  }
  await agent.close();
  server.close();
  return sent.join(' ');
}

console.log('no-cache:', await sentOf('no-cache', 7, 10));
console.log('max-age=1, must-revalidate:', await sentOf('max-age=1, must-revalidate', 4, 2_100));
JS
seen=$(node validate.js)
echo "$seen"
expected='no-cache: 200 304 200 304 200 304 200
max-age=1, must-revalidate: 200 200 200 200'
if [[ $seen == "$expected" ]]; then
  echo "as described: what was validated is fetched anew the next time"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
