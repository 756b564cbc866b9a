/** A run that is killed and resumed: the second cache starts with what the first has written. Run it with `npx tsx resume.ts`. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from 'toolstash';

const persistDir = mkdtempSync(join(tmpdir(), 'resume-'));
let toolCalls = 0;

async function search({ query }: { query: string }): Promise<string[]> {
  toolCalls++;
  return [`${query}, page 1`, `${query}, page 2`];
}

async function run(name: string): Promise<void> {
  const cache = await CacheManager.open({ persist: true, persistDir });
  try {
    const cached = cache.wrap(search);
    for (const query of ['mvcc', 'raft', 'crdt']) await cached({ query });
    console.log(`${name}: ran the tool ${toolCalls} times in all`);
  } finally {
    await cache.close();
  }
}

async function main(): Promise<void> {
  await run('first run');
  await run('resumed');
  const files = readdirSync(persistDir, { recursive: true, encoding: 'utf8' });
  console.log('partition files:', files.filter((file) => file.endsWith('.cache')).length);
  rmSync(persistDir, { recursive: true });
}

void main();
