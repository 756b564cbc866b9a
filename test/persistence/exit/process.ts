/** A process that sets entries and ends in the way it is told, without having closed its cache. */

import { setTimeout as delay } from 'node:timers/promises';
import { CacheManager } from '../../../src/index.js';

const [way = '', folder = ''] = process.argv.slice(2);
const options = { persist: true, persistDir: folder, flushInterval: '1h' } as const;

function never(): Promise<never> {
  return new Promise(() => undefined);
}

async function fill(cache: CacheManager): Promise<void> {
  await cache.set('search', 'small', 'one');
  await cache.set('fetch', 'large', 'x'.repeat(300_000));
  for (let key = 0; key < 500; key += 1) cache.setSync('search', key, `${key}`.repeat(100));
  await cache.delete('search', 3);
}

const ways: Record<string, () => Promise<void>> = {
  async unsettled() {
    new CacheManager().setSync('search', 1, 'one');
    await never();
  },
  async exit() {
    const cache = await CacheManager.open(options);
    await fill(cache);
    process.exit();
  },
  /** Before the folder is even there. */
  async early() {
    const cache = new CacheManager(options);
    await fill(cache);
    process.exit();
  },
  async throw() {
    const cache = await CacheManager.open(options);
    await fill(cache);
    setImmediate(() => {
      throw new Error('thrown on purpose');
    });
    await never();
  },
  /** In the middle of a flush that takes long enough. */
  async flushing() {
    const cache = await CacheManager.open(options);
    await fill(cache);
    void cache.flush();
    setImmediate(() => process.exit());
    await never();
  },
  async closing() {
    const cache = await CacheManager.open(options);
    await fill(cache);
    void cache.close();
    process.exit();
  },
  /** The recipe of the README. */
  async signal() {
    const cache = await CacheManager.open(options);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, async () => {
        await cache.close().catch(console.error);
        process.kill(process.pid, signal);
      });
    }
    await fill(cache);
    process.kill(process.pid, 'SIGTERM');
    await delay(60_000);
  },
  /** The same, with the handler in place before the cache is there. */
  async handledEarly() {
    let cache: CacheManager | undefined;
    process.once('SIGTERM', async () => {
      await cache?.close().catch(console.error);
      process.kill(process.pid, 'SIGTERM');
    });
    cache = await CacheManager.open(options);
    await fill(cache);
    process.kill(process.pid, 'SIGTERM');
    await delay(60_000);
  },
  /** A signal that nobody listens for ends the process as ever. */
  async unhandled() {
    const cache = await CacheManager.open(options);
    await fill(cache);
    await cache.flush();
    process.kill(process.pid, 'SIGTERM');
    await delay(60_000);
  },
  /** Where somebody else has the folder. */
  async taken() {
    const cache = new CacheManager(options);
    await fill(cache);
    process.exit();
  },
  async off() {
    const cache = await CacheManager.open({ ...options, flushOnExit: false });
    await fill(cache);
    process.exit();
  },
};

await ways[way]!();
