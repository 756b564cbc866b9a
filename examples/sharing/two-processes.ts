/** Two processes, one folder: what one loads the other answers. Run it with `npx tsx two-processes.ts`. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from 'toolstash';

const role = process.argv[2];
const persistDir = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'sharing-'));

async function work(name: string): Promise<void> {
  const cache = await CacheManager.open({ persist: true, persistDir, mode: 'multi' });
  const answer = await cache.getOrSet('search', { query: 'mvcc' }, () => `loaded by ${name}`);
  console.log(`${name} got: ${answer}`);
  await cache.close();
}

async function main(): Promise<void> {
  if (role === 'child') return work('the child');
  await work('the parent');
  const child = fork(process.argv[1] as string, ['child', persistDir]);
  await once(child, 'exit');
  rmSync(persistDir, { recursive: true });
}

void main();
