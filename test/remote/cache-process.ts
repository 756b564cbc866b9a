/** A machine in a process of its own: `cache-process.js <port> <role> <param> [<folder>]`. It tells what came of it. */

import { CacheManager } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';

const [, , port = '', role = '', param = '', folder] = process.argv;
const tell = (...message: unknown[]) => process.stdout.write(`${JSON.stringify(message)}\n`);
const remote = redis({ url: `redis://127.0.0.1:${port}`, remoteTimeout: '5s', waitTimeout: '30s' });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  // Its socket alone would keep a process that has nothing to do.
  if (role === 'idle') {
    const cache = new CacheManager({ remote });
    cache.on('error', () => undefined);
    await cache.open().catch(() => undefined);
    tell('opened');
    return;
  }
  if (role === 'forgetful') {
    const cache = new CacheManager({ remote, persist: true, persistDir: param });
    cache.on('error', () => undefined);
    await cache.open().catch(() => undefined);
    await cache.delete('search', 1);
    tell('deleted');
    return;
  }
  const ttl = role === 'stale' ? { ttl: 3_000, staleWhileRevalidate: '1h' as const } : {};
  const disk =
    folder === undefined
      ? {}
      : { persist: true, persistDir: folder, mode: 'multi' as const, syncInterval: 100 };
  const cache = new CacheManager({ remote, ...ttl, ...disk });
  await cache.open();
  let loads = 0;
  const ask = () =>
    cache.getOrSet('search', param, async () => {
      loads += 1;
      await wait(200);
      return `${process.pid}`;
    });
  const askAll = async () => new Set(await Promise.all(Array.from({ length: 64 }, ask)));
  tell('ready');
  for await (const line of process.stdin) {
    for (const command of String(line).trim().split('\n')) {
      if (command === 'ask') tell('answers', [...(await askAll())], loads);
      if (command === 'loads') tell('loads', loads);
    }
    if (String(line).includes('end')) break;
  }
  await cache.close();
}

void main();
