/** Entries as the page finds them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { searchEntries } from '../../src/dashboard/entry-search.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { FakeClock } from '../../src/testing/index.js';

/** Goes on by so many ms whenever it is asked. */
class SteppingClock extends FakeClock {
  step = 0;
  asked = 0;

  override elapsed(): number {
    this.asked += 1;
    this.advance(this.step);
    return super.elapsed();
  }
}

test('a search ends when its time is over, also among entries of other methods', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-search-'));
  const clock = new SteppingClock();
  const cache = await CacheManager.open({ persist: true, persistDir: folder, clock });
  try {
    for (let id = 0; id < 50; id += 1) await cache.set('search', id, id);
    await cache.flush();
    const core = coreOf(cache)!;
    const ofAnother = { method: 'another', text: '' };
    expect(await searchEntries(core, ofAnother)).toEqual({ entries: [], lookedAt: 0, isCut: false });
    Object.assign(clock, { step: 300, asked: 0 });
    expect(await searchEntries(core, ofAnother)).toEqual({ entries: [], lookedAt: 0, isCut: true });
    expect(clock.asked).toBeLessThan(10);
    const { entries, isCut } = await searchEntries(core, { method: 'search', text: '' });
    expect(isCut).toBe(true);
    expect(entries.length).toBeLessThan(10);
  } finally {
    await cache.close();
    rmSync(folder, { recursive: true });
  }
});
