/** One of many processes with a cache on a shared folder: calls tools as its parent says, and tells each run of one. */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CacheManager, type CacheOptions } from '../../../src/index.js';

/** What a parent can ask for. */
export type FlightOrder =
  /** So many callers of one key at once. The tool takes `ms`, or waits for `finish`; what fails says so. */
  | readonly [
      kind: 'call',
      key: number,
      how?: {
        callers?: number;
        ms?: number;
        bytes?: number;
        fails?: boolean;
        tags?: string[];
        hardTimeout?: number;
      },
    ]
  | readonly [kind: 'set' | 'delete' | 'read' | 'finish', key: number]
  | readonly [kind: 'clear' | 'load' | 'flush' | 'consolidate' | 'stats' | 'close']
  | readonly [kind: 'invalidate', tag: string]
  /** A load whose tool calls the cache for another key. */
  | readonly [kind: 'nest', outer: number, inner: number];

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const name = process.argv[3] ?? String(process.pid);
const cache = new CacheManager({
  persist: true,
  persistDir: process.argv[2] ?? '',
  mode: 'multi',
  // Others' changes come when the parent says so, or with what is handed over.
  syncInterval: 3_600_000,
  consolidateInterval: null,
  ...(JSON.parse(process.argv[4] ?? '{}') as CacheOptions),
});
cache.on('error', ({ error }) => tell('error', error.code, error.message));

let runs = 0;
const held = new Map<number, () => void>();

async function call(key: number, how: Extract<FlightOrder, readonly ['call', ...unknown[]]>[2] = {}) {
  const { callers = 1, ms, bytes = 0, fails = false, tags, hardTimeout } = how;
  const tool = async () => {
    runs += 1;
    const answer = `${key} by ${name}, run ${runs}${'.'.repeat(bytes)}`;
    tell('ran', key, name);
    await new Promise<void>((resolve) => {
      if (ms === undefined) held.set(key, resolve);
      else setTimeout(resolve, ms);
    });
    if (fails) throw new Error(`${key} failed in ${name}`);
    return answer;
  };
  const options = { ...(tags && { tags }), ...(hardTimeout && { hardTimeout }) };
  const calls = Array.from({ length: callers }, () =>
    cache.getOrSet('tool', key, tool, options).catch((error: Error) => `failed: ${error.message}`),
  );
  const answers = new Set(await Promise.all(calls));
  tell('answered', key, [...answers].map((answer) => answer.replace(/\.+$/, '')).join(' | '));
}

async function obey(order: FlightOrder): Promise<unknown> {
  switch (order[0]) {
    case 'call':
      // Others are to be obeyed meanwhile.
      void call(order[1], order[2]);
      return;
    case 'finish':
      held.get(order[1])?.();
      return;
    case 'set':
      return cache.set('tool', order[1], `${order[1]} set by ${name}`);
    case 'delete':
      return cache.delete('tool', order[1]);
    case 'read':
      return (await cache.get('tool', order[1])) ?? null;
    case 'clear':
      return cache.clear('tool');
    case 'invalidate':
      return cache.invalidateTags([order[1]]);
    case 'nest': {
      const [, outer, inner] = order;
      const loaded = cache.getOrSet('tool', outer, async () => {
        tell('ran', outer, name);
        await new Promise<void>((resolve) => held.set(outer, resolve));
        return `${outer} of ${await cache.getOrSet('tool', inner, () => `${inner} by ${name}`)}`;
      });
      void loaded.then((answer) => tell('answered', outer, answer));
      return;
    }
    case 'load':
      return cache.load();
    case 'flush':
      return cache.flush();
    case 'consolidate':
      return void (await cache.consolidate());
    case 'stats': {
      const { hits, misses, loads, coalesced, cacheErrors } = cache.stats();
      return { hits, misses, loads, coalesced, cacheErrors };
    }
    case 'close':
      await cache.close();
      return process.exit(0);
  }
}

await cache.open();
tell('ready');
for await (const line of createInterface({ input: process.stdin })) {
  tell('done', await obey(JSON.parse(line) as FlightOrder));
}
