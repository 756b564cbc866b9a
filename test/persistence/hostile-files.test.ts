/** Files that are damaged, cut, mixed up or planted: each is passed over and reported, and the rest loads. */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/persistence/file-system.js';
import { readHeader } from '../../src/persistence/format/member-header.js';
import { hashMethod } from '../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, type TestTier, testStart } from '../helper/disk-tier.js';

let folder: string;
let month: string;
const clock = () => new FakeClock(testStart + 1_000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-'));
  month = join(folder, '2026-11');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes `rounds` members with three entries each, and returns the file's path. */
async function writeFile(method: string, rounds: number, first = 0): Promise<string> {
  const one = makeDiskTier({ persistDir: folder });
  const before = existsSync(month) ? readdirSync(month) : [];
  for (let round = first; round < first + rounds; round += 1) {
    for (let at = 0; at < 3; at += 1) one.set(method, [round, at], `${method} ${round} ${at}`);
    await one.tier.flush();
  }
  await one.tier.close();
  const made = readdirSync(month).find(
    (name) => !before.includes(name) && name.startsWith(hashMethod(method)),
  );
  return join(month, made!);
}

/** The members of a file, as bytes. */
function membersOf(path: string): Buffer[] {
  return membersOfBytes(readFileSync(path));
}

function membersOfBytes(bytes: Buffer): Buffer[] {
  const members: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readHeader(bytes, at);
    if (reading.kind !== 'member') throw new Error(`Expected a member at ${at}`);
    members.push(bytes.subarray(at, at + reading.header.memberLength));
    at += reading.header.memberLength;
  }
  return members;
}

async function roundsThere(tier: TestTier, method: string, rounds: number): Promise<number[]> {
  const there: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const values = await Promise.all(
      [0, 1, 2].map((at) => tier.get(method, [round, at]).catch(() => undefined)),
    );
    for (const [at, value] of values.entries()) {
      if (value !== undefined) expect(value).toBe(`${method} ${round} ${at}`);
    }
    if (values.every((value) => value !== undefined)) there.push(round);
    else expect(values).toEqual([undefined, undefined, undefined]);
  }
  return there;
}

async function reopen(options: Parameters<typeof makeDiskTier>[0] = {}): Promise<TestTier> {
  const tier = makeDiskTier({ persistDir: folder, clock: clock(), ...options });
  await tier.tier.open();
  return tier;
}

function quarantined(): string[] {
  const path = join(folder, 'quarantine');
  return existsSync(path) ? readdirSync(path) : [];
}

/** Opens twice: what was found the first time holds after the repair too, and then there is nothing to report. */
async function expectRepaired(expected: number[], damage: { file: string; offset: number; reason: string }) {
  const one = await reopen();
  expect(await roundsThere(one, 'search', 6)).toEqual(expected);
  expect(one.errors[0]).toMatchObject({
    code: 'ERR_PARTITION_DAMAGED',
    file: damage.file,
    offset: damage.offset,
  });
  expect(one.errors[0]?.message).toContain(damage.reason);
  await one.tier.close();
  expect(quarantined()).toEqual([expect.stringContaining(hashMethod('search'))]);
  const two = await reopen();
  expect(await roundsThere(two, 'search', 6)).toEqual(expected);
  expect(two.errors).toEqual([]);
  await two.tier.close();
}

describe('a damaged partition', () => {
  it('whose end is cut off loses its last member, quietly, and is mended when nobody appends any more', async () => {
    const path = await writeFile('search', 3);
    truncateSync(path, statSync(path).size - 5);
    const quiet = makeDiskTier({ persistDir: folder, clock: new FakeClock(Date.now()) });
    await quiet.tier.open();
    expect(await roundsThere(quiet, 'search', 3)).toEqual([0, 1]);
    expect(quiet.errors).toEqual([]);
    expect(readdirSync(month)).toEqual([basename(path)]);
    await quiet.tier.close();
    utimesSync(path, 1, 1);
    const mending = makeDiskTier({ persistDir: folder, clock: new FakeClock(Date.now()) });
    await mending.tier.open();
    expect(await roundsThere(mending, 'search', 3)).toEqual([0, 1]);
    expect(mending.errors).toEqual([]);
    expect(readdirSync(month)).toHaveLength(1);
    expect(readdirSync(month)).not.toEqual([basename(path)]);
    expect(quarantined()).toEqual([]);
    await mending.tier.close();
  });

  it('that grows is read on where it was incomplete', async () => {
    const path = await writeFile('search', 3);
    const bytes = readFileSync(path);
    truncateSync(path, bytes.length - 5);
    const one = await reopen();
    expect(await roundsThere(one, 'search', 3)).toEqual([0, 1]);
    appendFileSync(path, bytes.subarray(bytes.length - 5));
    await one.tier.load({ mode: 'incremental' });
    expect(await roundsThere(one, 'search', 3)).toEqual([0, 1, 2]);
    expect(one.errors).toEqual([]);
    await one.tier.close();
  });

  it('with a broken header loses that member', async () => {
    const path = await writeFile('search', 4);
    const members = membersOf(path);
    const offset = members[0]!.length;
    const bytes = readFileSync(path);
    bytes[offset + 100]! ^= 1;
    writeFileSync(path, bytes);
    await expectRepaired([0, 2, 3], { file: path, offset, reason: 'fails its checksum' });
  });

  it('with a hole of zeros loses what was there', async () => {
    const path = await writeFile('search', 5);
    const [first, second, third] = membersOf(path);
    const bytes = readFileSync(path);
    const start = first!.length;
    bytes.fill(0, start, start + second!.length + third!.length - 10);
    writeFileSync(path, bytes);
    await expectRepaired([0, 3, 4], { file: path, offset: start, reason: 'no gzip member' });
  });

  it('with a broken body tells an error once, and what it had replaced never comes back', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'first');
    await one.tier.flush();
    one.set('search', 1, 'second');
    await one.tier.flush();
    one.set('search', 2, 'third');
    await one.tier.close();
    const path = join(month, readdirSync(month)[0]!);
    const [first, second] = membersOf(path);
    const bytes = readFileSync(path);
    bytes[first!.length + second!.length - 20]! ^= 1;
    writeFileSync(path, bytes);
    const two = await reopen();
    await expect(two.get('search', 1)).rejects.toMatchObject({
      code: 'ERR_PARTITION_DAMAGED',
      offset: first!.length,
    });
    expect(await two.get('search', 1)).toBeUndefined();
    expect(await two.get('search', 2)).toBe('third');
    await two.tier.load();
    expect(quarantined()).toHaveLength(1);
    expect(await two.get('search', 1)).toBeUndefined();
    expect(await two.get('search', 2)).toBe('third');
    await two.tier.close();
    const three = await reopen();
    expect(await three.get('search', 1)).toBeUndefined();
    expect(await three.get('search', 2)).toBe('third');
    expect(three.errors).toEqual([]);
    await three.tier.close();
  });

  it('with a broken body keeps the markers of that member, and what they had cleared stays away', async () => {
    const one = makeDiskTier({ persistDir: folder });
    one.set('search', 1, 'cleared');
    one.set('tagged', 1, 'invalid', { tags: ['t'] });
    await one.tier.flush();
    one.tier.clear('search', one.stamps.next());
    one.tier.invalidateTag('t', one.stamps.next());
    await one.tier.flush();
    one.set('search', 2, 'later');
    one.tier.invalidateTag('other', one.stamps.next());
    await one.tier.close();
    for (const path of readdirSync(month).map((name) => join(month, name))) {
      const members = membersOf(path);
      const marked = members.findIndex((member) => [2, 3].includes(member[16 + 64 + 38]!));
      if (marked < 0) continue;
      const start = members.slice(0, marked).reduce((sum, { length }) => sum + length, 0);
      const bytes = readFileSync(path);
      bytes[start + members[marked]!.length - 12]! ^= 1;
      // A broken header further on makes the file be mended at once.
      bytes[start + members[marked]!.length + 30]! ^= 1;
      writeFileSync(path, bytes);
    }
    for (let restart = 0; restart < 2; restart += 1) {
      const two = await reopen();
      expect(await two.get('search', 1)).toBeUndefined();
      expect(await two.get('tagged', 1)).toBeUndefined();
      expect(quarantined()).toHaveLength(2);
      await two.tier.close();
    }
  });

  it('that was given is left as it is', async () => {
    const path = await writeFile('search', 3);
    const elsewhere = mkdtempSync(join(tmpdir(), 'toolstash-elsewhere-'));
    const given = join(elsewhere, basename(path));
    const bytes = readFileSync(path);
    rmSync(path);
    bytes[membersOfBytes(bytes)[0]!.length - 12]! ^= 1;
    writeFileSync(given, bytes);
    const one = await reopen({ loadCache: given });
    await expect(one.get('search', [0, 0])).rejects.toMatchObject({
      code: 'ERR_PARTITION_DAMAGED',
      file: given,
    });
    expect(await one.get('search', [0, 0])).toBeUndefined();
    await one.tier.load();
    expect(await one.get('search', [1, 0])).toBe('search 1 0');
    await one.tier.close();
    expect(readFileSync(given)).toEqual(bytes);
    expect(readdirSync(elsewhere)).toEqual([basename(path)]);
    rmSync(elsewhere, { recursive: true });
  });

  it('with a member removed is noticed', async () => {
    const path = await writeFile('search', 4);
    const members = membersOf(path);
    writeFileSync(path, Buffer.concat([members[0]!, members[2]!, members[3]!]));
    await expectRepaired([0, 2, 3], { file: path, offset: members[0]!.length, reason: 'missing' });
  });

  it('with members swapped is noticed, and nothing of it is lost', async () => {
    const path = await writeFile('search', 4);
    const members = membersOf(path);
    writeFileSync(path, Buffer.concat([members[0]!, members[2]!, members[1]!, members[3]!]));
    await expectRepaired([0, 1, 2, 3], { file: path, offset: members[0]!.length, reason: 'missing' });
  });

  it('with a foreign member does not take that one in', async () => {
    const foreign = await writeFile('foreign', 1);
    const [member] = membersOf(foreign);
    rmSync(foreign);
    const path = await writeFile('search', 3);
    const members = membersOf(path);
    writeFileSync(path, Buffer.concat([members[0]!, member!, members[1]!, members[2]!]));
    await expectRepaired([0, 1, 2], { file: path, offset: members[0]!.length, reason: 'another file' });
    const one = await reopen();
    expect(await roundsThere(one, 'foreign', 1)).toEqual([]);
    await one.tier.close();
  });

  it('is none of our business when a newer version has written it', async () => {
    const path = await writeFile('search', 3);
    const members = membersOf(path);
    const newer = Buffer.from(members[1]!);
    const length = newer.readUInt16LE(14);
    newer[16] = 9;
    newer.writeUInt32LE(crc32(newer.subarray(12, 12 + length)), 12 + length);
    writeFileSync(path, Buffer.concat([members[0]!, newer, members[2]!]));
    const one = await reopen();
    expect(await roundsThere(one, 'search', 3)).toEqual([0, 2]);
    expect(one.errors.map((error) => error.message).join()).toContain('version 9');
    expect(readdirSync(month)).toEqual([basename(path)]);
    await one.tier.close();
  });
});

describe('a planted file', () => {
  const name = `${hashMethod('search')}_20261121_7.cache`;

  async function expectPassedOver(reason: string, options = {}) {
    const one = await reopen(options);
    expect(await roundsThere(one, 'other', 1)).toEqual([0]);
    expect(one.errors.map((error) => error.message).join()).toContain(reason);
    one.set('search', 1, 'written');
    await one.tier.close();
    const two = await reopen(options);
    expect(await two.get('search', 1)).toBe('written');
    await two.tier.close();
  }

  it('that is no gzip goes to quarantine', async () => {
    await writeFile('other', 1);
    writeFileSync(join(month, name), 'no gzip at all');
    await expectPassedOver('no gzip');
    expect(quarantined()).toEqual([expect.stringContaining('_20261121_')]);
  });

  it('that is a plain gzip bomb is not inflated, and left alone', async () => {
    await writeFile('other', 1);
    writeFileSync(join(month, name), gzipSync(Buffer.alloc(100 * 1024 * 1024)));
    await expectPassedOver('`maxMemberBytes`');
    expect(readdirSync(month)).toContain(name);
  });

  it('that is a FIFO, a device, a link or a folder is left alone', async () => {
    await writeFile('other', 1);
    execFileSync('mkfifo', [join(month, name)]);
    symlinkSync('/dev/zero', join(month, name.replace('_7', '_8')));
    mkdirSync(join(month, name.replace('_7', '_9')));
    symlinkSync(tmpdir(), join(folder, '2026-10'));
    if (process.getuid?.() === 0)
      execFileSync('mknod', [join(month, name.replace('_7', '_6')), 'c', '1', '5']);
    await expectPassedOver('not a regular file');
    expect(quarantined()).toEqual([]);
  });

  it('that turned into a FIFO after it was listed fails without waiting', async () => {
    const path = await writeFile('search', 1);
    const one = await reopen();
    renameSync(path, `${path}.away`);
    execFileSync('mkfifo', [path]);
    expect(await one.get('search', [0, 0]).catch((error: { code: string }) => error.code)).toBeOneOf([
      undefined,
      'ERR_STORAGE',
    ]);
    await one.tier.close();
  });

  it('of another user is not read, unless a shared mode was chosen', async () => {
    const path = await writeFile('search', 1);
    const strange = (found: { owner: number }) => ({ ...found, owner: 4_711 });
    const files = {
      ...nodeFileSystem,
      openToRead: async (wanted: string) => {
        const file = await nodeFileSystem.openToRead(wanted);
        if (wanted !== path) return file;
        return {
          read: file.read.bind(file),
          append: file.append.bind(file),
          sync: file.sync.bind(file),
          close: file.close.bind(file),
          status: async () => ({ ...(await file.status()), ...strange(await file.status()) }),
        };
      },
    };
    const wary = await reopen({ files });
    expect(await roundsThere(wary, 'search', 1)).toEqual([]);
    expect(wary.errors.map((error) => error.message).join()).toContain('user 4711');
    await wary.tier.close();
    const sharing = await reopen({ files, fileMode: 0o660 });
    expect(await roundsThere(sharing, 'search', 1)).toEqual([0]);
    await sharing.tier.close();
  });

  it('in place of the month folder as a link is not written through', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'toolstash-outside-'));
    symlinkSync(outside, month);
    const one = await reopen();
    one.set('search', 1, 'kept');
    await expect(one.tier.flush()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    expect(readdirSync(outside)).toEqual([]);
    expect(await one.get('search', 1)).toBe('kept');
    rmSync(month);
    await one.tier.flush();
    await one.tier.close();
    rmSync(outside, { recursive: true });
  });
});
