/** What `toolstash simulate --json` says of a trace. Needs `npm run build`. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Hit rates in percent, by size and policy. @param policies those to simulate; all without */
export function simulate(path, sizes, policies) {
  const args = ['simulate', path, '--format', 'keys', '--sizes', sizes.join(','), '--json', '--threads', '1'];
  if (policies !== undefined) args.push('--policies', policies.join(','));
  const output = execFileSync(process.execPath, [cli, ...args], { maxBuffer: 2 ** 28, stdio: 'pipe' });
  return JSON.parse(output).sizes.map(({ maxSize, optimum, policies: all }) => ({
    size: maxSize,
    optimum: 100 * optimum.hitRate,
    rates: Object.fromEntries(all.map(({ eviction, hitRate }) => [eviction, 100 * hitRate])),
    why: all.find(({ policy }) => policy !== undefined)?.policy,
  }));
}

/** The same of keys that are in no file. */
export function simulateKeys(keys, sizes, policies) {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-eviction-'));
  try {
    const path = join(folder, 'trace.keys');
    writeFileSync(path, keys.join('\n'));
    return simulate(path, sizes, policies);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
