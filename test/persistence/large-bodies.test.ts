/** Members that are small in their file and large in memory, read many at once. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeDiskTier } from '../helper/disk-tier.js';

const inflating = vi.hoisted(() => ({ bytes: 0, most: 0 }));

vi.mock('../../src/persistence/format/member-body.js', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/persistence/format/member-body.js')>();
  return {
    ...original,
    inflateMember: async (...args: Parameters<typeof original.inflateMember>) => {
      const length = original.claimedBodyLength(args[0]);
      inflating.bytes += length;
      inflating.most = Math.max(inflating.most, inflating.bytes);
      try {
        return await original.inflateMember(...args);
      } finally {
        inflating.bytes -= length;
      }
    },
  };
});

describe('members that claim a large body', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'toolstash-'));
    await fill();
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const mebibyte = 1024 * 1024;
  const text = 'a'.repeat(9 * mebibyte);

  async function fill(): Promise<void> {
    const { tier, set } = makeDiskTier({ persistDir: folder });
    for (let number = 0; number < 4; number += 1) {
      set('search', { number }, `${number}${text}`);
      await tier.flush();
    }
    await tier.close();
  }

  it('are inflated one after another, however many ask', async () => {
    inflating.most = 0;
    const { tier, get, errors } = makeDiskTier({ persistDir: folder });
    await tier.open();
    const found = await Promise.all([0, 1, 2, 3].map((number) => get('search', { number })));
    expect(found.map((value) => String(value)[0])).toEqual(['0', '1', '2', '3']);
    expect(inflating.most).toBeGreaterThan(9 * mebibyte);
    expect(inflating.most).toBeLessThan(18 * mebibyte);
    expect(errors).toEqual([]);
    await tier.close();
  });

  it('are inflated one after another for whoever goes through all entries', async () => {
    inflating.most = 0;
    const { tier } = makeDiskTier({ persistDir: folder });
    const keys = new Set<string>();
    for await (const record of tier.entries()) keys.add(record.key);
    expect(keys.size).toBe(4);
    expect(inflating.most).toBeLessThan(18 * mebibyte);
    await tier.close();
  });
});
