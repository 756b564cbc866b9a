/** A process that calls tools through its cache while it has no file descriptor left, and then has some again. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CacheManager } from '../../../src/index.js';
import { getFromFiles } from '../../../src/persistence/offline/inspection.js';

const [folder = ''] = process.argv.slice(2);

function tell(message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const cache = await CacheManager.open({
  persist: true,
  persistDir: folder,
  flushInterval: 50,
  maxSize: 5,
  flushOnExit: false,
});
const codes = new Set<unknown>();
cache.on('error', ({ error }) => {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    codes.add((cause as NodeJS.ErrnoException).code);
});
let wrong = 0;
const call = async (method: string, number: number) => {
  const answer = await cache.getOrSet(method, number, async () => `${method} of ${number}`);
  if (answer !== `${method} of ${number}`) wrong += 1;
};

for (let number = 0; number < 20; number += 1) await call('search', number);
await cache.flush();
const before = cache.stats().cacheErrors;

const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch (error) {
  tell(['exhausted', (error as NodeJS.ErrnoException).code]);
}
// What memory has evicted can't be read, and a method that is new has no file to be written to.
for (let number = 0; number < 40; number += 1) {
  await call('search', number);
  await call('fetch', number);
  await delay(10);
}
const { cacheErrors, loads } = cache.stats();
tell(['called', { wrong, loads, errors: cacheErrors - before, codes: [...codes] }]);

for (const descriptor of held) closeSync(descriptor);
const end = Date.now() + 60_000;
for (;;) {
  // From outside, and without a flush: writing resumes by itself.
  const written = await getFromFiles([folder], { method: 'fetch', params: 39 }).catch(() => undefined);
  if (written !== undefined || Date.now() > end) break;
  await delay(50);
}
const afterwards = cache.stats().cacheErrors;
for (let number = 0; number < 40; number += 1) await call('search', number);
tell(['resumed', { wrong, errors: cache.stats().cacheErrors - afterwards }]);
process.kill(process.pid, 'SIGKILL');
