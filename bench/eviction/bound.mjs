/**
 * What `toolstash simulate` takes for all stores at six sizes, beside a plain loop over lru-cache for as many accesses:
 * node bench/eviction/bound.mjs [accesses]
 *
 * Keys by Zipf's law, one in ten accesses a key of its own. Elapsed time, with a thread for each core, and CPU time of all
 * threads; starting and reading the trace are part of it.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import { seeded } from './traffic.mjs';

const accesses = Number(process.argv[2] ?? 1_000_000);
const sizes = [0.01, 0.03, 0.1, 0.25, 0.5, 1];
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const random = seeded(1);
const keys = Array.from({ length: accesses }, (_, at) =>
  at % 10 === 0 ? `once${at}` : `key${Math.floor((accesses / 20) * random() ** 4)}`,
);
const distinct = new Set(keys).size;

const folder = mkdtempSync(join(tmpdir(), 'toolstash-bound-'));
try {
  const path = join(folder, 'trace.keys');
  writeFileSync(path, keys.join('\n'));
  const hook = join(folder, 'usage.cjs');
  writeFileSync(
    hook,
    `process.on('exit', () => {
      if (!require('node:worker_threads').isMainThread) return;
      const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
      process.stderr.write('\\n' + JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, megabytes: maxRSS / 1024 }));
    });`,
  );
  const began = performance.now();
  const run = spawnSync(process.execPath, ['--require', hook, cli, 'simulate', path, '--json'], {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 28 },
  });
  const elapsed = (performance.now() - began) / 1000;
  const ours = JSON.parse(run.stderr.trim().split('\n').at(-1));
  const stores = JSON.parse(run.stdout).sizes[0].policies.length;
  const [started, plainBegan] = [process.cpuUsage(), performance.now()];
  for (let store = 0; store < stores; store += 1)
    for (const share of sizes) {
      const cache = new LRUCache({ max: Math.max(1, Math.round(share * distinct)) });
      for (const key of keys) if (cache.get(key) === undefined) cache.set(key, key);
    }
  const { user, system } = process.cpuUsage(started);
  const plain = (user + system) / 1e6;
  const plainElapsed = (performance.now() - plainBegan) / 1000;
  const ratio = (one, other) => (one / other).toFixed(2);
  console.log(
    `${accesses.toLocaleString('en')} accesses × ${stores} stores × ${sizes.length} sizes and the optimum. Node ${process.versions.node}.\n` +
      `elapsed: ${elapsed.toFixed(1)} s, lru-cache ${plainElapsed.toFixed(1)} s: ${ratio(elapsed, plainElapsed)}\n` +
      `CPU: ${ours.cpu.toFixed(1)} s, lru-cache ${plain.toFixed(1)} s: ${ratio(ours.cpu, plain)}; ${ours.megabytes.toFixed(0)} MB at most`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
