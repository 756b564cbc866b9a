/** The files of loads under way: whose they are, what they say, and how they are taken from who has stalled. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../../src/persistence/file-system.js';
import { encodeHandOver, encodeNote, type FlightFile } from '../../../src/persistence/flight/flight-file.js';
import { FlightFolder } from '../../../src/persistence/flight/flight-folder.js';
import { randomId } from '../../../src/persistence/format/partition-name.js';
import { ownNote } from '../../../src/persistence/lock/holder-note.js';
import { makeRecord, testStart } from '../../helper/disk-tier.js';

let persistDir: string;
let flights: string;
let folder: FlightFolder;
const key = 'a59ccf1183bc5299df9a0b0e8fc48ca8';
const stamp = { time: 1_795_219_200_000_001, writer: '00112233445566ff' };
const record = {
  ...makeRecord({
    method: 'search',
    params: 1,
    value: { hits: [1, 2] },
    stamp,
    now: testStart,
    tags: ['a', 'b'],
  }),
  key,
};

const makeFolder = (isTrustedOwner = (_owner: number) => true) =>
  new FlightFolder({
    ...{ files: nodeFileSystem, persistDir, fileMode: 0o600, dirMode: 0o700, isTrustedOwner },
    statusOf: (path) => nodeFileSystem.status(path),
  });

beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-flights-'));
  flights = join(persistDir, '.flights');
  folder = makeFolder();
});

afterEach(() => rmSync(persistDir, { recursive: true, force: true }));

const newNote = () => ({ ...ownNote(), token: randomId() });

/** Makes a key's file and leaves it. */
async function make(note = newNote()): Promise<FlightFile> {
  await (await folder.create(key, note))?.close();
  return (await folder.look(key, undefined))!;
}

const holds = () => readFileSync(join(flights, key), 'utf8');

describe('a flight file', () => {
  it('is made by one, and read by all', async () => {
    const note = newNote();
    const seen = await make(note);
    expect(seen).toMatchObject({ note, record: undefined });
    expect(await folder.create(key, newNote())).toBeUndefined();
    expect(await folder.look(key, seen)).toBe(seen);
    expect(await folder.look('0'.repeat(32), undefined)).toBeUndefined();
  });

  it('hands over what was loaded, once that is whole', async () => {
    const note = newNote();
    const bytes = encodeHandOver(record);
    for (const length of [0, 1, 20, bytes.length - 1, bytes.length, bytes.length]) {
      const seen = await make(note);
      const file = await folder.open(key, note.token);
      for (let sign = 0; sign < 3; sign += 1) await file!.append(Buffer.from('\n'));
      await file!.append(bytes.subarray(0, length));
      await file!.close();
      const found = await folder.look(key, seen);
      expect(found?.note).toEqual(note);
      if (length < bytes.length) expect(found?.record).toBeUndefined();
      else {
        expect(found?.record).toEqual({ ...record, encoded: expect.anything() });
        expect(Buffer.from(found!.record!.encoded)).toEqual(Buffer.from(record.encoded));
      }
      await folder.remove(key, found!.status);
      expect(readdirSync(flights)).toEqual([]);
    }
  });

  it('that is damaged hands over what was loaded, or nothing', async () => {
    const whole = Buffer.concat([encodeNote(newNote()), encodeHandOver(record)]);
    mkdirSync(flights);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(whole.length), async (changes, length) => {
        const bytes = Buffer.from(whole);
        for (const [at, byte] of changes) bytes[at] = byte;
        writeFileSync(join(flights, key), bytes.subarray(0, length < 20 ? length : bytes.length));
        const found = await folder.look(key, undefined);
        if (found?.record === undefined) return;
        expect(Buffer.from(found.record.encoded)).toEqual(Buffer.from(record.encoded));
        expect(found.record).toMatchObject({ key, method: 'search', tags: ['a', 'b'] });
      }),
      { numRuns: 500 },
    );
  });

  it('of somebody who is not trusted says nothing', async () => {
    await make();
    const found = await makeFolder(() => false).look(key, undefined);
    expect(found).toMatchObject({ note: undefined, record: undefined });
  });

  it('is opened and removed by who has made it, and by nobody else', async () => {
    const first = await make();
    writeFileSync(join(flights, key), encodeNote(newNote()));
    expect(await folder.open(key, first.note!.token)).toBeUndefined();
    await folder.remove(key, first.status);
    expect(readdirSync(flights)).toEqual([key]);
    rmSync(join(flights, key));
    expect(await folder.open(key, first.note!.token)).toBeUndefined();
    await folder.remove(key, first.status);
  });

  it('has a name that leads nowhere else', async () => {
    for (const odd of ['../../escaped', `${key}/..`, key.toUpperCase(), '']) {
      await expect(folder.create(odd, newNote())).rejects.toThrow('Expected a key of 32 hex digits');
    }
    expect(readdirSync(persistDir)).toEqual(['.flights']);
  });

  it('is made in no folder that is a symlink', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'toolstash-elsewhere-'));
    symlinkSync(elsewhere, flights);
    await expect(folder.create(key, newNote())).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(readdirSync(elsewhere)).toEqual([]);
    rmSync(elsewhere, { recursive: true });
  });
});

describe('taking a flight file away', () => {
  it('removes the one that was seen', async () => {
    const seen = await make();
    expect(await folder.takeAway(key, seen)).toBe(true);
    expect(readdirSync(flights)).toEqual([]);
    expect(await folder.takeAway(key, seen)).toBe(true);
  });

  it.each([false, true])('leaves one that has come in its place (forced: %s)', async (isForced) => {
    const seen = await make();
    const other = encodeNote(newNote()).toString();
    writeFileSync(join(flights, key), other);
    await folder.takeAway(key, seen, isForced);
    expect([holds(), readdirSync(flights)]).toEqual([other, [key]]);
  });

  it('leaves one that has come in the place of one that said nothing', async () => {
    mkdirSync(flights);
    writeFileSync(join(flights, key), '');
    const seen = await folder.look(key, undefined);
    expect(seen?.note).toBeUndefined();
    writeFileSync(join(flights, key), 'another');
    await folder.takeAway(key, seen!);
    expect([holds(), readdirSync(flights)]).toEqual(['another', [key]]);
    await folder.takeAway(key, (await folder.look(key, undefined))!);
    expect(readdirSync(flights)).toEqual([]);
  });

  it('is for one of several, until that one has had its time', async () => {
    const seen = await make();
    // Another process is about to, or has ended over it.
    writeFileSync(join(flights, `.${seen.note!.token}.tmp`), '');
    expect(await folder.takeAway(key, seen)).toBe(false);
    expect(readdirSync(flights)).toHaveLength(2);
    expect(await folder.takeAway(key, seen, true)).toBe(true);
    expect(readdirSync(flights)).toEqual([`.${seen.note!.token}.tmp`]);
  });

  it('makes no name of what a file says that is no token', async () => {
    const seen = await make({ ...ownNote(), token: '../../escaped' });
    expect(await folder.takeAway(key, seen)).toBe(true);
    expect([readdirSync(flights), readdirSync(persistDir)]).toEqual([[], ['.flights']]);
  });
});
