#!/usr/bin/env bash
# Within Node's release line 24, DecompressionStream('gzip') went from reading every member of a file to refusing it.
#
# Seen with Node 24.18.1 and 24.19.0: a gzip file of two members (what `cat a.gz b.gz` makes) gives both bodies on the
# former and ERR_TRAILING_JUNK_AFTER_STREAM_END on the latter, as in browsers. zlib.gunzip reads both on both. So code
# that has read such files with the web API fails after a minor update of a long-term support release.
#
# Needs node and npm; installs the two releases from npm (about 100 MB).
# Exit code 0: they still do so; 1: they behave differently now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > read.mjs <<'JAVASCRIPT'
import zlib from 'node:zlib';

const bytes = Buffer.concat([zlib.gzipSync('one'), zlib.gzipSync('two')]);
const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
const text = await new Response(inflated).text().catch((error) => error.code);
console.log(`${process.version} zlib ${zlib.gunzipSync(bytes)} DecompressionStream ${text}`);
JAVASCRIPT
seen=''
for version in 24.18.1 24.19.0; do
  mkdir "$version"
  echo '{"private": true}' > "$version/package.json"
  npm install --no-audit --no-fund --silent --prefix "$version" "node@$version"
  seen+=$("$version/node_modules/node/bin/node" read.mjs)$'\n'
done
printf '%s' "$seen"
expected='v24.18.1 zlib onetwo DecompressionStream onetwo
v24.19.0 zlib onetwo DecompressionStream ERR_TRAILING_JUNK_AFTER_STREAM_END
'
if [ "$seen" = "$expected" ]; then
  echo "as described: the minor release refuses what the one before it read"
else
  echo "changed: expected"; printf '%s' "$expected"; exit 1
fi
