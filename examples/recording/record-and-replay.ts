/** Records what a tool answers, then runs the same program without the tool. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from 'toolstash';
import { recording } from 'toolstash/recording';

/** A search that costs a cent. */
let cents = 0;
async function searchTheWeb({ query }: { query: string; apiKey: string }): Promise<string[]> {
  cents += 1;
  return [`${query}: result ${cents}`];
}

async function program(
  dir: string,
  mode: 'record' | 'replay' | 'strict',
  queries: readonly string[],
): Promise<void> {
  const tape = recording({
    dir,
    mode,
    redact: ['**.apiKey'],
    approximate: { tools: ['search'], maxDistance: 0.5 },
    onAnswer: ({ answer }) => {
      if (answer.approximate !== undefined) console.log('  only like it:', answer.approximate);
    },
  });
  const cache = await CacheManager.open({ ttl: '1h', recording: tape });
  const search = cache.wrap(searchTheWeb, { name: 'search', ignore: ['apiKey'] });
  for (const query of queries) {
    const found = await search({ query, apiKey: 's3cret' }).catch((error: Error) => error.message);
    console.log(`${mode}: ${found}`);
  }
  await cache.close();
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'toolstash-recording-'));
  await program(dir, 'record', ['mvcc', 'flights to rome']);
  await program(dir, 'strict', ['mvcc', 'trains to rome']);
  await program(dir, 'replay', ['trains to rome', 'lsm trees']);
  console.log(`${cents} cents`);
  await rm(dir, { recursive: true });
}

void main();
