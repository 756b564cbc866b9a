/**
 * Settings in an SQLite file behind a cache: read through it, written so that nobody keeps an old one, tokens encrypted.
 * `npm install toolstash node-sqlite3-wasm`
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sqlite from 'node-sqlite3-wasm'; // better-sqlite3 is quicker; this one needs no compiler
import { CacheManager } from 'toolstash';
import { cacheAside } from 'toolstash/source';

interface Settings {
  readonly theme: string;
  readonly token: string;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-settings-'));
  const database = new sqlite.Database(join(folder, 'settings.db'));
  database.exec('CREATE TABLE settings (id TEXT PRIMARY KEY, json TEXT NOT NULL)');
  const cache = await CacheManager.open({ persist: true, persistDir: join(folder, 'cache') });

  let queries = 0;
  const settings = cacheAside<string, Settings>({
    cache,
    method: 'settings',
    load: async (id) => {
      queries++;
      const row = database.get('SELECT json FROM settings WHERE id = ?', [id]);
      return row ? JSON.parse(String(row['json'])) : undefined;
    },
    store: async (id, record) =>
      database.run('INSERT INTO settings VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json', [
        id,
        JSON.stringify(record),
      ]),
    remove: async (id) => database.run('DELETE FROM settings WHERE id = ?', [id]),
    secrets: { fields: ['token'], keys: { '2026': randomBytes(32) }, current: '2026' },
  });

  await settings.get('ada'); // there are none, which is remembered
  await settings.update('ada', { theme: 'dark', token: 'hunter2' });
  for (let reads = 0; reads < 100; reads++) await settings.get('ada');
  console.log(await settings.get('ada'), `${queries} queries`);
  console.log(
    `the cache holds ${JSON.stringify(cache.peek('settings', 'ada')).includes('hunter2') ? 'the token' : 'no token'}`,
  );

  await cache.close();
  database.close();
  rmSync(folder, { recursive: true });
}

void main();
