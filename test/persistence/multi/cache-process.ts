/** A process with a cache on a shared folder: does what its parent says, and can be held in the middle of a load. */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CacheManager } from '../../../src/index.js';

/** What a parent can ask for: what to do, with which method, and with what. */
export type CacheOrder = readonly [
  kind: 'begin' | 'end' | 'set' | 'delete' | 'clear' | 'invalidate' | 'read' | 'load' | 'flush' | 'close',
  method?: string,
  value?: string,
];

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const cache = new CacheManager({
  persist: true,
  persistDir: process.argv[2] ?? '',
  mode: 'multi',
  // Others' changes come when the parent says so, and not before.
  syncInterval: 3_600_000,
  flushInterval: 3_600_000,
  consolidateInterval: null,
  flushOnExit: false,
  tags: (value) => [`tag:${String(value).split(' ')[0]}`],
});
cache.on('error', ({ error }) => tell('error', error.code, error.message));

const held = new Map<string, { open: (value: string) => void; loaded: Promise<unknown> }>();

async function obey([kind, method = '', value = '']: CacheOrder): Promise<unknown> {
  switch (kind) {
    case 'begin':
      return begin(method);
    case 'end': {
      const { open, loaded } = held.get(method)!;
      open(`${method} loaded`);
      return loaded;
    }
    case 'set':
      return cache.set(method, 1, `${method} ${value}`);
    case 'delete':
      return cache.delete(method, 1);
    case 'clear':
      return cache.clear(method);
    case 'invalidate':
      return cache.invalidateTags([`tag:${method}`]);
    case 'read':
      return (await cache.get(method, 1)) ?? null;
    case 'load':
      return cache.load();
    case 'flush':
      return cache.flush();
    case 'close':
      await cache.close();
      return process.exit(0);
  }
}

/** Begins a load, and returns once its tool is running. */
async function begin(method: string): Promise<void> {
  let open: (value: string) => void = () => undefined;
  const answer = new Promise<string>((resolve) => {
    open = resolve;
  });
  await new Promise<void>((running) => {
    const loaded = cache.getOrSet(method, 1, () => {
      running();
      return answer;
    });
    loaded.catch(() => undefined);
    held.set(method, { open, loaded });
  });
}

await cache.open();
tell('ready');
for await (const line of createInterface({ input: process.stdin })) {
  tell('done', await obey(JSON.parse(line) as CacheOrder));
}
