#!/usr/bin/env bash
# Keyv 5 takes a store that fails on reading for an empty one, and tells nobody: `get` resolves to `undefined` and no
# `error` is emitted. The same failure on `set` is emitted, on `has` it rejects, and `getMany` rejects.
#
# Seen with keyv 5.6.0. Its documentation says that errors of a store are emitted, and most of a cache's failures are
# failed reads: a monitor that counts `error` events sees a Redis that refuses every read as a cache without hits. A store
# can emit `error` itself, which Keyv passes on. keyv 6.1.0 emits the failed read.
#
# Needs node and npm. Exit code 0: keyv still does so; 1: it behaves differently now; 2: something is missing.
set -euo pipefail

for command in node npm; do
  command -v "$command" >/dev/null || { echo "needs: $command" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts keyv@5.6.0 keyv-6@npm:keyv@6.1.0 || exit 2

cat > reads.cjs <<'JS'
const run = async (name) => {
  const { Keyv } = require(name);
  const fail = async () => {
    throw new Error('connection refused');
  };
  const store = {
    opts: {},
    get: fail,
    getMany: fail,
    set: fail,
    has: fail,
    delete: fail,
    clear: fail,
    on() {},
  };
  const keyv = new Keyv({ store });
  let emitted = 0;
  keyv.on('error', () => {
    emitted += 1;
  });
  const seen = [];
  for (const [what, call] of [
    ['get', () => keyv.get('a')],
    ['set', () => keyv.set('a', 1)],
    ['has', () => keyv.has('a')],
    ['getMany', () => keyv.getMany(['a'])],
  ]) {
    emitted = 0;
    const came = await call().then(
      (value) => JSON.stringify(value) ?? 'undefined',
      () => 'rejected',
    );
    seen.push(`${what}: ${came}, ${emitted} emitted`);
  }
  return `${name}: ${seen.join('; ')}`;
};
(async () => {
  for (const name of ['keyv', 'keyv-6']) console.log(await run(name));
})();
JS
seen=$(node reads.cjs)
printf '%s\n' "$seen"
if [[ $seen == "keyv: get: undefined, 0 emitted; set: false, 1 emitted; has: rejected, 0 emitted; getMany: rejected, 0 emitted"* ]] &&
  [[ $seen == *"keyv-6: get: undefined, 1 emitted"* ]]; then
  echo "as described: keyv 5 takes a failed read for a miss, in silence"
else
  echo "changed: expected that keyv 5.6.0 emits nothing on a failed get, and 6.1.0 does"; exit 1
fi
