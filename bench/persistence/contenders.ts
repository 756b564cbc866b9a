/** Caches on disk behind one small face, so that all are driven alike. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { systemClock } from '../../src/clock.js';
import { hashKey } from '../../src/key/key-hasher.js';
import { resolveDiskOptions } from '../../src/persistence/disk-options.js';
import { DiskTier } from '../../src/persistence/disk-tier.js';
import { StampClock } from '../../src/stamp.js';

/** A store of texts in a folder. */
export interface DiskContender {
  set(number: number, text: string): undefined | Promise<unknown>;
  get(number: number): string | undefined | Promise<string | undefined>;
  /** Returns when everything set is with the operating system. */
  flush(): Promise<unknown>;
  /** Brings every entry into memory, and counts them. */
  loadAll(): Promise<number>;
  close(): Promise<unknown>;
}

const method = 'search';
const packr = new Packr({ useRecords: false });
const keyOf = (number: number) => hashKey(method, { id: number });

export const contenders: Readonly<Record<string, (folder: string) => Promise<DiskContender>>> = {
  toolstash: openToolstash,
  lmdb: openLmdb,
  'better-sqlite3': openSqlite,
  'flat-cache': openFlatCache,
  cacache: openCacache,
};

/** Those that keep everything in memory, or a file for each entry, are not asked for a million. */
export const smallOnly: ReadonlySet<string> = new Set(['flat-cache', 'cacache']);

async function openToolstash(folder: string): Promise<DiskContender> {
  const stamps = new StampClock(systemClock, '1'.repeat(16));
  const fail = (error: Error) => {
    throw error;
  };
  const options = resolveDiskOptions({ persistDir: folder, flushOnExit: false });
  const tier = new DiskTier({ options, clock: systemClock, onError: fail });
  await tier.open();
  return {
    set(number, text) {
      const now = Date.now();
      const metadata = {
        createdAt: now,
        staleAt: null,
        expiresAt: null,
        accessCount: 0,
        lastAccess: now,
        loadMs: 20,
      };
      const encoded = Uint8Array.from(packr.pack(text));
      tier.write({ key: keyOf(number), method, encoded, metadata, stamp: stamps.next() });
      return undefined;
    },
    async get(number) {
      const record = await tier.lookup(keyOf(number), method);
      return record === undefined ? undefined : (packr.unpack(record.encoded) as string);
    },
    flush: () => tier.flush(),
    async loadAll() {
      const loaded = new Map<string, Uint8Array>();
      for await (const record of tier.entries()) loaded.set(record.key, record.encoded);
      return loaded.size;
    },
    close: () => tier.close(),
  };
}

async function openLmdb(folder: string): Promise<DiskContender> {
  const { open } = await import('lmdb');
  const store = open<string, string>({ path: folder, encoding: 'msgpack', noSync: true });
  return {
    set(number, text) {
      void store.put(keyOf(number), text);
      return undefined;
    },
    get: (number) => store.get(keyOf(number)),
    flush: () => store.committed,
    async loadAll() {
      const loaded = new Map<string, string>();
      for (const { key, value } of store.getRange()) loaded.set(key, value);
      return loaded.size;
    },
    close: () => store.close(),
  };
}

async function openSqlite(folder: string): Promise<DiskContender> {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(join(folder, 'cache.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = OFF');
  database.exec('CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value BLOB)');
  const insert = database.prepare('INSERT OR REPLACE INTO cache VALUES (?, ?)');
  const select = database.prepare<[string], { value: Buffer }>('SELECT value FROM cache WHERE key = ?');
  let waiting: [string, Buffer][] = [];
  const write = database.transaction(() => {
    for (const row of waiting) insert.run(...row);
    waiting = [];
  });
  return {
    set(number, text) {
      waiting.push([keyOf(number), Buffer.from(packr.pack(text))]);
      if (waiting.length >= 4_000) write();
      return undefined;
    },
    get(number) {
      const row = select.get(keyOf(number));
      return row === undefined ? undefined : (packr.unpack(row.value) as string);
    },
    flush: async () => write(),
    async loadAll() {
      const loaded = new Map<string, Buffer>();
      const all = database.prepare<[], { key: string; value: Buffer }>('SELECT key, value FROM cache');
      for (const { key, value } of all.iterate()) loaded.set(key, value);
      return loaded.size;
    },
    close: async () => database.close(),
  };
}

async function openFlatCache(folder: string): Promise<DiskContender> {
  const { FlatCache } = await import('flat-cache');
  const cache = new FlatCache({ cacheId: 'bench', cacheDir: folder, lruSize: 0, ttl: 0 });
  cache.load('bench', folder);
  return {
    set(number, text) {
      cache.setKey(keyOf(number), text);
      return undefined;
    },
    get: (number) => cache.getKey<string>(keyOf(number)),
    flush: async () => cache.save(true),
    loadAll: async () => Object.keys(cache.all()).length,
    close: async () => undefined,
  };
}

async function openCacache(folder: string): Promise<DiskContender> {
  const { default: cacache } = await import('cacache');
  return {
    set: (number, text) => cacache.put(folder, keyOf(number), text),
    async get(number) {
      return (await cacache.get(folder, keyOf(number))).data.toString();
    },
    flush: async () => undefined,
    async loadAll() {
      let count = 0;
      for (const key of Object.keys(await cacache.ls(folder))) {
        await cacache.get(folder, key);
        count += 1;
      }
      return count;
    },
    close: async () => undefined,
  };
}

/** A short name for a folder of one run. */
export function folderName(contender: string, entries: number): string {
  return createHash('md5').update(`${contender}:${entries}`).digest('hex').slice(0, 12);
}
