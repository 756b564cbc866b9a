/** Mutated files: whatever is read from them is what they say, and no mutation crashes, hangs or spreads. */

import { crc32, deflateRawSync, gunzipSync, gzipSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readHeader } from '../../src/persistence/format/member-header.js';
import { hashMethod } from '../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { decode, encode, makeDiskTier, testStart } from '../helper/disk-tier.js';
import { FaultyFileSystem } from '../helper/faulty-file-system.js';
import { inForm } from '../helper/form.js';

const mutations = Number(process.env['TOOLSTASH_MUTATIONS'] ?? inForm({ short: 300, long: 2_000 }));
const seed = Number(process.env['TOOLSTASH_SEED'] ?? Date.now() % 1_000_000);
const folder = '/data/cache';
const keys = 9;

let state = seed;
/** mulberry32 */
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const below = (limit: number) => Math.floor(random() * limit);

/** A member taken apart. */
interface Parts {
  readonly header: Buffer;
  readonly body: Buffer;
}

interface Base {
  readonly path: string;
  readonly members: Parts[];
  /** The key in the file of each number. */
  readonly keys: string[];
}

/** A file with overwrites, deletions, a marker and values of every form, three members long. */
async function makeBase(): Promise<Base> {
  const files = new FaultyFileSystem();
  const one = makeDiskTier({ persistDir: folder, files, clock: new FakeClock(testStart) });
  const names: string[] = [];
  const values = [
    null,
    1,
    'text',
    { a: [1, { b: -2.5 }] },
    'long '.repeat(60),
    [true, false],
    2 ** 40,
    '',
    { é: '☃' },
  ];
  for (let round = 0; round < 3; round += 1) {
    for (let key = round; key < keys; key += 1) {
      one.set(
        'search',
        key,
        { round, value: values[key] },
        key % 2 ? { tags: ['t'] } : { expiresAt: testStart + 1e6 },
      );
    }
    if (round === 1) one.delete('search', 1);
    if (round === 2) one.tier.clear('search', { time: testStart * 1_000 - 5, writer: 'f'.repeat(16) });
    await one.tier.flush();
  }
  const { hashKey } = await import('../../src/key/key-hasher.js');
  for (let key = 0; key < keys; key += 1) names.push(hashKey('search', key));
  await one.tier.close();
  const [path] = files.paths();
  return { path: path!, members: takeApart(files.peek(path!)), keys: names };
}

/** A file of another method, in which nothing is changed. */
async function makeSane(): Promise<Buffer> {
  const files = new FaultyFileSystem();
  const one = makeDiskTier({ persistDir: folder, files });
  one.set('other', 1, 'sane');
  await one.tier.close();
  return files.peek(files.paths()[0]!);
}

function takeApart(bytes: Buffer): Parts[] {
  const members: Parts[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readHeader(bytes, at);
    if (reading.kind !== 'member') throw new Error(reading.kind);
    const { headerLength, memberLength } = reading.header;
    const header = Buffer.from(bytes.subarray(at, at + headerLength));
    members.push({ header, body: inflateRawSync(bytes.subarray(at + headerLength, at + memberLength - 8)) });
    at += memberLength;
  }
  return members;
}

/** The member's bytes, with every length and checksum made right. */
function putTogether({ header, body }: Parts): Buffer {
  const bytes = Buffer.concat([header, deflateRawSync(body), Buffer.alloc(8)]);
  bytes.writeUInt32LE(crc32(body), bytes.length - 8);
  bytes.writeUInt32LE(body.length, bytes.length - 4);
  const length = header.readUInt16LE(14);
  const end = 16 + length - 4;
  bytes.writeUInt32LE(bytes.length, 20);
  bytes.writeUInt32LE(crc32(bytes.subarray(header.length)), 68);
  bytes.writeUInt32LE(crc32(bytes.subarray(12, end)), end);
  return bytes;
}

function mutateBytes(bytes: Buffer): Buffer {
  const at = below(bytes.length);
  const copy = Buffer.from(bytes);
  switch (below(6)) {
    case 0:
      copy[at]! ^= 1 << below(8);
      return copy;
    case 1:
      copy[at] = [0, 0xff, 0x7f, 0x80, 0xc0, 0xdf, below(256)][below(7)]!;
      return copy;
    case 2:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([below(256)]), copy.subarray(at)]);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + below(20))]);
    case 4:
      copy.fill(below(2) * 255, at, Math.min(copy.length, at + 1 + below(30)));
      return copy;
    default:
      copy.copyWithin(at, below(copy.length), below(copy.length));
      return copy;
  }
}

interface Mutant {
  readonly bytes: Buffer;
  /** Bodies that a reader may find whole in it. */
  readonly bodies: readonly Buffer[];
  /** Whether all checksums hold although something was changed. */
  readonly isSound: boolean;
}

function mutate(base: Base): Mutant {
  const members = base.members.map((member) => ({ ...member }));
  const at = below(members.length);
  const member = members[at]!;
  const originals = base.members.map(({ body }) => body);
  const join = () => Buffer.concat(members.map(putTogether));
  switch (below(5)) {
    case 0: {
      // A body that says something else.
      member.body = mutateBytes(member.body);
      return { bytes: join(), bodies: [...originals, member.body], isSound: true };
    }
    case 1: {
      // A header that says something else: stamps, keys, kinds, offsets, counts.
      const header = Buffer.from(member.header);
      for (let count = 1 + below(3); count > 0; count -= 1) {
        header[16 + below(header.readUInt16LE(14) - 4)] = below(256);
      }
      member.header = header;
      return { bytes: join(), bodies: originals, isSound: true };
    }
    case 2: {
      const other = below(members.length);
      members[at] = members[other]!;
      if (below(2) === 0) members[other] = member;
      return { bytes: join(), bodies: originals, isSound: true };
    }
    case 3: {
      let bytes: Buffer = join();
      for (let count = 1 + below(4); count > 0 && bytes.length > 1; count -= 1) bytes = mutateBytes(bytes);
      return { bytes, bodies: originals, isSound: false };
    }
    default: {
      const bytes = join();
      return { bytes: bytes.subarray(0, below(bytes.length)), bodies: originals, isSound: false };
    }
  }
}

/** What a body says of a key, found with nothing of ours: by msgpackr, or else by looking for the bytes. */
function saysSo(body: Buffer, key: string, encoded: Uint8Array): boolean {
  const start = Buffer.concat([Buffer.from('d920', 'hex'), Buffer.from(key, 'latin1')]);
  const result = Buffer.concat([Buffer.from('a6726573756c74', 'hex'), encoded]);
  for (let at = body.indexOf(start); at >= 0; at = body.indexOf(start, at + 1)) {
    if (body.indexOf(result, at) >= 0) return true;
  }
  try {
    const entry = (decode(body) as Record<string, { result: unknown } | undefined>)[key];
    return entry !== undefined && Buffer.from(encode(entry.result)).equals(Buffer.from(encoded));
  } catch {
    return false;
  }
}

describe('mutated partition files', () => {
  it(
    'never answer what they do not say',
    async () => {
      const base = await makeBase();
      const sane = await makeSane();
      const outcomes = new Map<string, number>();
      const count = (name: string) => outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      const wrong: string[] = [];
      let sound = 0;
      let slowest = 0;
      for (let round = 0; round < mutations; round += 1) {
        const isPlain = below(10) === 0;
        const mutant = isPlain ? mutatePlain(base) : mutate(base);
        if (mutant.isSound) sound += 1;
        const files = new FaultyFileSystem();
        files.plant(base.path, mutant.bytes);
        files.plant(base.path.replace(/[0-9a-f]{32}/, hashMethod('other')), sane);
        const before = performance.now();
        const one = makeDiskTier({ persistDir: folder, files, clock: new FakeClock(testStart + 500) });
        await one.tier.open();
        let answers = 0;
        let errors = 0;
        for (let pass = 0; pass < 2; pass += 1) {
          for (const key of base.keys) {
            try {
              const record = await one.tier.lookup(key, 'search');
              if (record === undefined) continue;
              answers += 1;
              const isSaid = mutant.bodies.some((body) => saysSo(body, key, record.encoded));
              if (!isSaid)
                wrong.push(`round ${round}: ${key} is ${Buffer.from(record.encoded).toString('hex')}`);
            } catch (error) {
              errors += 1;
              expect((error as { code: string }).code).toBe('ERR_PARTITION_DAMAGED');
            }
          }
          if (pass === 0) await one.tier.load();
        }
        if ((await one.get('other', 1)) !== 'sane') wrong.push(`round ${round}: another file is affected`);
        for await (const record of one.tier.entries()) {
          if (record.method === 'other') continue;
          const isSaid = mutant.bodies.some((body) => saysSo(body, record.key, record.encoded));
          if (!isSaid) wrong.push(`round ${round}: ${record.key} is listed wrongly`);
        }
        await one.tier.close();
        slowest = Math.max(slowest, performance.now() - before);
        const kind = `${isPlain ? 'plain' : mutant.isSound ? 'sound' : 'torn'}`;
        count(
          `${kind}, ${one.errors.length + errors > 0 ? 'reported' : 'unnoticed'}, ${answers === 0 ? 'no' : 'some'} answers`,
        );
        if (wrong.length > 20) break;
      }
      console.log(
        `seed ${seed}: ${mutations} mutations, ${((100 * sound) / mutations).toFixed(0)} % pass all checksums`,
      );
      for (const [name, times] of [...outcomes].sort()) console.log(`  ${name}: ${times}`);
      console.log(`  slowest: ${slowest.toFixed(0)} ms`);
      expect(wrong, `seed ${seed}`).toEqual([]);
      expect(sound / mutations).toBeGreaterThan(0.3);
    },
    120_000 + mutations * 100,
  );
});

/** A plain file of the same entries, changed before or after it is compressed. */
function mutatePlain(base: Base): Mutant {
  const body = mutateBytes(base.members[2]!.body);
  const packed = gzipSync(body);
  if (below(2) === 0) return { bytes: packed, bodies: [body], isSound: true };
  const bytes = mutateBytes(packed);
  let bodies = [body];
  try {
    bodies = [body, gunzipSync(bytes)];
  } catch {
    // No reader can inflate it, so only the body as it was can be found in it.
  }
  return { bytes, bodies, isSound: false };
}
