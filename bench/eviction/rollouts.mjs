/**
 * By how many points of the hit rate the policies differ from LRU where the calls of a task repeat in its trials and never
 * again: node bench/eviction/rollouts.mjs [calls.jsonl]
 *
 * Generated rollouts of several numbers of tasks at once and of calls, in caches of half to one and a half times the calls
 * under way; and recorded calls, one JSON object with `tool`, `args` and maybe `error` a line, those that write left out.
 */

import { readFileSync } from 'node:fs';
import { simulateKeys } from './simulate.mjs';
import { rollouts } from './traffic.mjs';

const policies = ['lru', 'sieve', 's3-fifo', 'w-tinylfu', 'auto'];
const others = policies.slice(1);

const differences = new Map();
for (const areTrialsAtOnce of [false, true])
  for (const atOnce of [2, 4, 8, 16, 32])
    for (const calls of [10, 20, 40])
      for (const seed of [1, 2, 3]) {
        const tasks = Math.max(60, 12 * atOnce);
        const keys = rollouts({ seed, atOnce, calls, tasks, areTrialsAtOnce });
        const working = atOnce * calls * 1.5;
        const shares = [0.5, 0.75, 1, 1.5];
        const sizes = shares.map((share) => Math.round(share * working));
        for (const { size, rates } of simulateKeys(keys, sizes, policies)) {
          const share = shares[sizes.indexOf(size)];
          const all = differences.get(share) ?? [];
          all.push(others.map((name) => rates[name] - rates.lru));
          differences.set(share, all);
        }
      }
for (const [share, all] of differences)
  console.log(
    `Room for ${share} of the calls under way, ${all.length} rollouts: ${others
      .map((name, at) => {
        const own = all.map((each) => each[at]);
        const mean = own.reduce((sum, each) => sum + each) / own.length;
        return `${name} ${mean.toFixed(2)} in the mean, at worst ${Math.min(...own).toFixed(2)}`;
      })
      .join('; ')}`,
  );

const path = process.argv[2];
if (path !== undefined) {
  const writes = /^(book|cancel|send|update|transfer)_/;
  const calls = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const keys = calls
    .filter(({ tool, error }) => !writes.test(tool) && error !== true)
    .map(({ tool, args }) => `${tool} ${JSON.stringify(sorted(args))}`);
  console.log(`Recorded: ${keys.length} calls that read`);
  const sizes = [8, 12, 16, 20, 24, 30, 36, 48, 64, 100];
  for (const { size, rates } of simulateKeys(keys, sizes, policies))
    console.log(
      `${size} entries: ${policies.map((name) => `${name} ${rates[name].toFixed(1)} %`).join(', ')}`,
    );
}

/** The value with the fields of all objects in order. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}
