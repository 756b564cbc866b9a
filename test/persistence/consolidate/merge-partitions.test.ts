import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergePartitions } from '../../../src/persistence/consolidate/merge-partitions.js';
import { type FileSystem, nodeFileSystem } from '../../../src/persistence/file-system.js';
import { temporaryFileName } from '../../../src/persistence/format/partition-name.js';
import { PartitionIndex } from '../../../src/persistence/index/partition-index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-merge-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a merge that comes to nothing', () => {
  const rules = {
    now: 0,
    known: new PartitionIndex(),
    keepsTombstone: () => true,
    keepsDroppedKey: () => true,
    isTagInvalid: undefined,
    dropShare: 0,
  };

  async function failuresWith(files: FileSystem): Promise<unknown[]> {
    const failures: unknown[] = [];
    const merged = await mergePartitions({
      files,
      path: join(folder, temporaryFileName()),
      sources: [],
      rules: async () => rules,
      writer: '0'.repeat(16),
      fileMode: 0o600,
      maxMemberBytes: 1_000_000,
      compressionLevel: 3,
      now: () => 0,
      onFailure: (error) => failures.push(error),
    });
    expect(merged.path).toBeUndefined();
    return failures;
  }

  it('finds nothing wrong when its temporary file has been taken for left behind', async () => {
    const create: FileSystem['create'] = async (path, mode) => {
      const file = await nodeFileSystem.create(path, mode);
      unlinkSync(path);
      return file;
    };
    expect(await failuresWith({ ...nodeFileSystem, create })).toEqual([]);
  });

  it('tells when its temporary file can not be removed', async () => {
    const unlink: FileSystem['unlink'] = async () => {
      throw Object.assign(new Error('broken'), { code: 'EIO' });
    };
    expect(await failuresWith({ ...nodeFileSystem, unlink })).toMatchObject([{ code: 'EIO' }]);
  });
});
