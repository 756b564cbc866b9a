#!/usr/bin/env bash
# cacheable's `wrap` answers a call with the result of another one after some ten thousand different arguments: its keys are
# 32-bit hashes of the arguments, and the arguments themselves are not compared.
#
# Seen with cacheable 2.5.0 (`wrap` with a `keyPrefix`, everything else by default): the searches "flights from <a> to <b>"
# below are all different, and the 65,784th gets what was found for an earlier one. By chance alone two of 77,000 share such
# a hash more often than not, so a cache shared by a busy service meets it within a day. With `createKey` users can give
# keys of their own.
#
# Needs node and npm. Exit code 0: cacheable still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts cacheable@2.5.0 || exit 2

cat > searches.js <<'JS'
import { Cacheable } from 'cacheable';

const cache = new Cacheable();
const search = cache.wrap(async (query) => query, { keyPrefix: 'search', ttl: '1h' });
const town = (seed) => (seed >>> 0).toString(36);
for (let n = 0; n < 200_000; n += 1) {
  const query = `flights from ${town(n * 2_654_435_761)} to ${town(n * 40_503 * n)}`;
  const found = await search(query);
  if (found === query) continue;
  console.log(`search ${n + 1}: asked "${query}", got "${found}"`);
  break;
}
JS
seen=$(node searches.js)
echo "$seen"
if [[ $seen == 'search 65784: asked "flights from 97sfrb to 1qjn7mv", got "flights from 1l3e1x4 to g9tl8g"' ]]; then
  echo "as described: two different arguments share a key"
else
  echo "changed: expected a wrong answer to search 65784"; exit 1
fi
