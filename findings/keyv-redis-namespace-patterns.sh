#!/usr/bin/env bash
# @keyv/redis takes a namespace for a pattern when it clears it: `clear()` of the namespace `eval[2]` leaves its own entries and
# deletes those of `eval2`, and that of `run*` deletes `run-7` as well.
#
# Seen with @keyv/redis 5.1.6 and keyv 5.6.0 on any Redis: the pattern of SCAN is made of the namespace as it is, in which `[`, `]`,
# `*`, `?` and `\` mean something else. `get`, `set` and `delete` take it literally. Names of datasets, models or tenants hold
# such characters; a namespace has to be encoded by who uses it. The iterator over a namespace goes by the same pattern.
#
# Needs node, npm and redis-server. Exit code 0: the package still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm redis-server; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @keyv/redis@5.1.6 keyv@5.6.0 || exit 2
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --daemonize no > /dev/null &
server=$!
for _ in $(seq 100); do [[ -S redis.sock ]] && break; sleep 0.1; done

cat > clear.js <<'JS'
import KeyvRedis from '@keyv/redis';
import Keyv from 'keyv';

const socket = { path: `${process.cwd()}/redis.sock` };
const under = (namespace) => new Keyv({ store: new KeyvRedis({ socket }), namespace });
for (const [cleared, other] of [['eval', 'eval-2'], ['eval[2]', 'eval2'], ['run*', 'run-7']]) {
  const [its, others] = [under(cleared), under(other)];
  await its.set('key', 'its');
  await others.set('key', 'others');
  await its.clear();
  console.log(`clear of ${cleared}: it holds ${await its.get('key')}, ${other} holds ${await others.get('key')}`);
}
process.exit();
JS
seen=$(node clear.js)
echo "$seen"
expected="clear of eval: it holds undefined, eval-2 holds others
clear of eval[2]: it holds its, eval2 holds undefined
clear of run*: it holds undefined, run-7 holds undefined"
if [[ $seen == "$expected" ]]; then
  echo "as described: a namespace with brackets keeps its entries, and another loses them"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
