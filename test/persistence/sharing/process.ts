/** Another process with a cache on the same folder: does what its parent says, line by line, and tells how it went. */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CacheManager, type CacheOptions } from '../../../src/index.js';

/** What a parent can ask for, and with what. */
export type Order =
  | ['set', number, string]
  | ['delete', number]
  | ['get', number]
  | ['flush']
  | ['consolidate']
  | ['close'];

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const options = JSON.parse(process.argv[2] ?? '{}') as CacheOptions;
const cache = new CacheManager({ persist: true, consolidateInterval: null, flushOnExit: false, ...options });
cache.on('error', ({ error }) => tell('error', error.code, error.message));

async function obey(order: Order): Promise<unknown> {
  switch (order[0]) {
    case 'set':
      return cache.set('search', order[1], order[2]);
    case 'delete':
      return cache.delete('search', order[1]);
    case 'get':
      return (await cache.get('search', order[1])) ?? null;
    case 'flush':
      return cache.flush();
    case 'consolidate':
      return cache.consolidate();
    case 'close':
      await cache.close();
      return process.exit(0);
  }
}

await cache.open().then(
  () => tell('opened'),
  (error: { code: string; message: string }) => {
    tell('refused', error.code, error.message);
    process.exit(0);
  },
);
for await (const line of createInterface({ input: process.stdin })) {
  tell('done', await obey(JSON.parse(line) as Order));
}
