import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../src/persistence/file-system.js';
import { mergePartitions } from '../../src/persistence/partition-merge.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-merge-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a merge that comes to nothing', () => {
  const rules = {
    now: 0,
    isOverwritten: () => false,
    isCleared: () => false,
    isMarkerKnown: () => false,
    keepsDeletion: () => true,
    keepsDroppedKey: () => true,
    isTagInvalid: undefined,
    dropShare: 0,
  };

  async function failuresWith(files: FileSystem): Promise<unknown[]> {
    const failures: unknown[] = [];
    const merged = await mergePartitions({
      files,
      folder,
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
