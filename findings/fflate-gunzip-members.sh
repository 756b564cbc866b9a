#!/usr/bin/env bash
# fflate's gunzipSync cuts the first member of a gzip file to the length of the last one.
#
# Seen with fflate 0.8.3: a gzip file may have many members (what `cat a.gz b.gz` makes). One would expect all of them,
# or the first alone. gunzipSync sizes its output by the last four bytes of the input, which are the length of the last
# member, and inflates the first one into that: 100 bytes and then 10 bytes give the first 10 of the 100, without an
# error. Where the lengths agree it looks as if it just stopped after the first. The streaming Gunzip, since 0.8.3 and
# zlib give all 110.
#
# Needs node and npm. Exit code 0: it still does so; 1: it behaves differently now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' > package.json
npm install --no-audit --no-fund --silent fflate@0.8.3

cat > read.mjs <<'JAVASCRIPT'
import zlib from 'node:zlib';
import { Gunzip, gunzipSync } from 'fflate';

const file = (...bodies) => Buffer.concat(bodies.map((body) => zlib.gzipSync(body)));
const streamed = (bytes) => {
  const parts = [];
  new Gunzip((part) => parts.push(part)).push(bytes, true);
  return Buffer.concat(parts);
};
const two = file('a'.repeat(100), 'b'.repeat(10));
console.log('zlib', zlib.gunzipSync(two).length);
console.log('fflate Gunzip', streamed(two).length);
console.log('fflate gunzipSync', Buffer.from(gunzipSync(two)).toString());
JAVASCRIPT
seen=$(node read.mjs)
echo "fflate 0.8.3 on node $(node --version)"
echo "$seen"
expected='zlib 110
fflate Gunzip 110
fflate gunzipSync aaaaaaaaaa'
if [ "$seen" = "$expected" ]; then
  echo "as described: gunzipSync gives 10 of the first member's 100 bytes, since the last member has 10"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
