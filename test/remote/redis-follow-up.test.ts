/** What is stored of how far Redis was followed, and until when. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { FollowUp, type FollowUpInit } from '../../src/remote/redis-follow-up.js';
import { gate, settle } from '../helper/gate.js';

it('ends with the cache, also when that is closed in the middle of it', async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-follow-'));
  const flushed = gate();
  let flushes = 0;
  const followUp = new FollowUp({
    ...{ persistDir, writer: '0'.repeat(16), of: 'here' },
    space: { progress: { run: 'r', epoch: 'e', id: '1-0' }, resume() {} } as unknown as FollowUpInit['space'],
    changes: { waiting: () => [], adopt() {} } as unknown as FollowUpInit['changes'],
    flushFaster: () => {
      flushes += 1;
      // First, as the folder is opened.
      return flushes === 1 ? Promise.resolve() : flushed.promise;
    },
    onError: (error) => {
      throw error;
    },
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await followUp.resume();
    await followUp.connected();
    vi.advanceTimersByTime(1);
    expect(flushes).toBe(2);
    const closed = followUp.close();
    await vi.waitFor(() => expect(flushes).toBe(3));
    flushed.open();
    await closed;
    await settle();
    // Not how many timers there are: what else runs in this process has some.
    vi.advanceTimersByTime(60_000);
    expect(flushes).toBe(3);
  } finally {
    vi.useRealTimers();
    rmSync(persistDir, { recursive: true });
  }
});
