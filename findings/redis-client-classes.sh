#!/usr/bin/env bash
# `createClient` of redis makes a class of its own, with a function for each of hundreds of commands, whenever its options differ
# from those of the call before: it remembers one class, by its options as JSON. A program that makes clients of two kinds in turn
# (one for commands with RESP 2 and one for messages with RESP 3, two databases, the nodes of a cluster by their ports) makes a
# class each time, though they have the same commands, and its event loop stands still meanwhile.
#
# Seen with redis 6.3.1: six calls with the same options make one class, six with two ports in turn make six, at some 50 ms of CPU
# each (printed, not judged). `duplicate(options)` shares the class of the client that it is called on, whatever the options.
#
# Needs node and npm, and no server. Exit code 0: the package still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts redis@6.3.1 || exit 2

cat > classes.js <<'JS'
import { createClient } from 'redis';

const ports = { 'the same port': [6379, 6379], 'two ports in turn': [6379, 6380] };
const optionsOf = (port) => ({ socket: { host: '127.0.0.1', port } });
const ways = {
  createClient: (port) => createClient(optionsOf(port)),
  duplicate: (port) => model.duplicate(optionsOf(port)),
};
const model = createClient();
for (const [way, make] of Object.entries(ways)) {
  for (const [what, [one, other]] of Object.entries(ports)) {
    const classes = new Set();
    const before = process.cpuUsage();
    for (let at = 0; at < 6; at += 1) classes.add(make(at % 2 ? one : other).constructor);
    const { user, system } = process.cpuUsage(before);
    console.log(`${way}, ${what}: ${classes.size} of 6`);
    console.error(`  ${((user + system) / 6_000).toFixed(1)} ms of CPU a client`);
  }
}
JS
seen=$(node classes.js)
echo "$seen"
expected="createClient, the same port: 1 of 6
createClient, two ports in turn: 6 of 6
duplicate, the same port: 1 of 6
duplicate, two ports in turn: 1 of 6"
if [[ $seen == "$expected" ]]; then
  echo "as described: options that differ from the last ones cost a class"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
