/** What gzip and msgpack readers of other languages can and can't take, and programs in four of them that read our files. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashKey } from '../../src/key/key-hasher.js';
import { deflateMember, encodeValue } from '../../src/persistence/format/member-body.js';
import { frameMember } from '../../src/persistence/format/member-frame.js';
import { hashMethod } from '../../src/persistence/format/partition-name.js';
import { createValueCodec } from '../../src/value/codec.js';
import { installPackages } from '../helper/debian-packages.js';
import { makeDiskTier, makeRecord, testStart } from '../helper/disk-tier.js';
import { inForm } from '../helper/form.js';
import { runPython } from '../helper/python.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string) => fileURLToPath(new URL(`reader/${name}`, import.meta.url));

/** The short form installs one. */
const inLongForm = [
  {
    name: 'Perl',
    command: 'perl',
    probe: ['-MData::MessagePack', '-MJSON::PP', '-e1'],
    packages: ['perl', 'libdata-messagepack-perl'],
    script: 'read.pl',
  },
  {
    name: 'Ruby',
    command: 'ruby',
    probe: ['-rmsgpack', '-rjson', '-e1'],
    packages: ['ruby', 'ruby-msgpack'],
    script: 'read.rb',
  },
  {
    name: 'PHP',
    command: 'php',
    probe: ['-r', 'exit(function_exists("msgpack_unpack") ? 0 : 1);'],
    packages: ['php-cli', 'php-msgpack'],
    script: 'read.php',
  },
] as const;

const languages = inForm<readonly (typeof inLongForm)[number][]>({
  short: inLongForm.slice(0, 1),
  long: inLongForm,
});

type Language = (typeof inLongForm)[number];

describe('a partition file with values that plain msgpack can’t say', () => {
  it('is read by Python', async () => {
    const { paths, expected } = await writeSample();
    expect(JSON.parse(runPython([script('read.py'), ...paths], { modules: ['msgpack'] }))).toEqual(expected);
  });

  it.each(languages)('is read by $name', async (language) => {
    const { paths, expected } = await writeSample();
    expect(JSON.parse(runReader(language, paths))).toEqual(expected);
  });
});

describe('the gzip header', () => {
  it('names methods of up to 511 bytes, as Go refuses longer names; entries name the others', async () => {
    const methods = ['m'.repeat(511), 'm'.repeat(512), '搜'.repeat(170), '搜'.repeat(171)];
    const one = makeDiskTier({ persistDir: folder });
    for (const method of methods) one.set(method, 1, method.length);
    await one.tier.close();
    const names = partitionPaths().map((path) => fileName(readFileSync(path)));
    expect(names.filter((name) => name !== undefined).sort()).toEqual([methods[0], methods[2]]);
    expect(await listedMethods()).toEqual([...methods].sort());
  });

  it('keeps a longer name that an earlier version wrote when its file is merged', async () => {
    const method = 'm'.repeat(600);
    const record = (params: unknown) =>
      makeRecord({
        method: 'written by the header alone',
        params,
        value: 1,
        stamp: { time: testStart * 1_000, writer: '0'.repeat(16) },
        now: testStart,
      });
    mkdirSync(join(folder, '2026-11'));
    for (const partition of [0, 1]) {
      const content = await deflateMember(hashMethod(method), [encodeValue(record(partition))], 3);
      const member = frameMember(content, {
        fileId: String(partition).repeat(32),
        writer: '0'.repeat(16),
        memberNumber: 0,
        batchIndex: 0,
        writtenAt: testStart,
        method,
      });
      writeFileSync(join(folder, '2026-11', `${hashMethod(method)}_20261121_${partition}.cache`), member);
    }
    const one = makeDiskTier({ persistDir: folder });
    await one.tier.open();
    await one.tier.consolidate();
    await one.tier.close();
    expect(partitionPaths()).toHaveLength(1);
    expect(await listedMethods()).toEqual([method, method]);
  });

  it('has an extra field of 16 KiB at most, as busybox refuses more', async () => {
    const one = makeDiskTier({ persistDir: folder });
    for (let params = 0; params < 2_000; params += 1) one.delete('search', params);
    await one.tier.close();
    const lengths = partitionPaths().flatMap((path) => extraLengths(readFileSync(path)));
    expect(Math.max(...lengths)).toBeGreaterThan(4_000);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(16_384);
  });
});

/** Plain values over several members, a deletion, and values that need an ext value. */
async function writeSample() {
  const method = 'search';
  const plain = {
    text: 'é ☃ 😀',
    numbers: [0, -1, 2 ** 31, -(2 ** 33), Number.MAX_SAFE_INTEGER, -2.5, 1e300],
    flags: [true, false, null],
    rows: [{ id: 1, name: 'a' }, { id: 2 }],
  };
  const codec = createValueCodec();
  const one = makeDiskTier({ persistDir: folder });
  const set = (params: string, value: unknown) => {
    const stamp = one.stamps.next();
    const record = makeRecord({ method, params, value: null, stamp, now: one.clock.now() });
    one.tier.write({ ...record, encoded: Buffer.from(codec.encode(value)) });
  };
  set('old', plain);
  set('deleted', plain);
  await one.tier.flush();
  set('rich', { when: new Date(0), big: 7n });
  set('beside', plain);
  await one.tier.flush();
  set('old', 'new');
  set('nothing', null);
  set('long', 'x'.repeat(100_000));
  one.delete(method, 'deleted');
  await one.tier.close();
  const expected = {
    [hashKey(method, 'old')]: 'new',
    [hashKey(method, 'rich')]: 'ext 84',
    [hashKey(method, 'beside')]: plain,
    [hashKey(method, 'nothing')]: null,
    [hashKey(method, 'long')]: 'x'.repeat(100_000),
  };
  return { paths: partitionPaths(), expected };
}

function runReader({ command, probe, packages, script: name }: Language, paths: readonly string[]): string {
  const canRun = () => spawnSync(command, probe, { stdio: 'ignore' }).status === 0;
  if (!canRun()) {
    const problem = installPackages(packages);
    if (problem !== undefined || !canRun()) {
      const what = problem ?? 'it still lacks its msgpack library';
      throw new Error(
        `Expected a ${command} with msgpack, but ${what}: run \`apt-get install ${packages.join(' ')}\``,
      );
    }
  }
  const run = spawnSync(command, [script(name), ...paths], { encoding: 'utf8', timeout: 60_000 });
  if (run.status === 0) return run.stdout;
  throw new Error(`${command} ended with ${run.status ?? run.signal}: ${run.stderr}`);
}

function partitionPaths(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cache'))
    .sort()
    .map((name) => join(folder, name));
}

async function listedMethods(): Promise<string[]> {
  const tier = makeDiskTier({ persistDir: folder });
  await tier.tier.open();
  const methods: string[] = [];
  for await (const { method } of tier.tier.entries()) methods.push(method ?? '');
  await tier.tier.close();
  expect(tier.errors).toEqual([]);
  return methods.sort();
}

/** FNAME of the first member. */
function fileName(bytes: Buffer): string | undefined {
  if ((bytes[3]! & 8) === 0) return undefined;
  const start = 12 + bytes.readUInt16LE(10);
  return bytes.toString('utf8', start, bytes.indexOf(0, start));
}

/** Lengths of the members' extra fields. */
function extraLengths(bytes: Buffer): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 20)) {
    lengths.push(bytes.readUInt16LE(at + 10));
  }
  return lengths;
}
