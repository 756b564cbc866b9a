#!/usr/bin/env bash
# msgpackr writes whole numbers beyond 32 bits as floats, though MessagePack has integers of 64 bits: readers in other languages
# get a float where an integer was stored, at times of day for instance.
#
# Seen with msgpackr 2.1.3 and Python's msgpack: Date.now() arrives as 1795000000000.0 and 4294967296 as 4294967296.0, while
# 4294967295 stays an int. So the type of a field changes with its size: an id turned into a text gets `.0` at its end, and a
# schema that asks for an integer refuses it. @msgpack/msgpack 3.1.2 writes both as integers.
#
# Needs node, npm and Debian's python3-msgpack. Exit code 0: msgpackr still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

python=/usr/bin/python3
for command in node npm "$python"; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
"$python" -c 'import msgpack' 2>/dev/null || { echo "needs: apt-get install python3-msgpack" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts msgpackr@2.1.3 @msgpack/msgpack@3.1.2 || exit 2

cat > write.cjs <<'JS'
const { pack } = require('msgpackr');
const { encode } = require('@msgpack/msgpack');
const value = [4_294_967_295, 4_294_967_296, 1_795_000_000_000, -2_147_483_649];
for (const bytes of [pack(value), encode(value)]) console.log(Buffer.from(bytes).toString('hex'));
JS
seen=$(node write.cjs | while read -r hex; do
  "$python" -c 'import msgpack, sys; print(msgpack.unpackb(bytes.fromhex(sys.argv[1])))' "$hex"
done)
echo "$seen"
expected='[4294967295, 4294967296.0, 1795000000000.0, -2147483649.0]
[4294967295, 4294967296, 1795000000000, -2147483649]'
if [ "$seen" = "$expected" ]; then
  echo "as described: msgpackr's whole numbers beyond 32 bits are floats to others"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
