/** Metadata is read by the order in which Toolstash writes its fields, and in any other, by any program, all the same. */

import { pack } from 'msgpackr';
import { expect, it } from 'vitest';
import { BodyScanner } from '../../../src/persistence/format/body-scanner.js';
import { encodeValueBody, readEntryBody } from '../../../src/persistence/format/entry-body.js';
import { makeRecord } from '../../helper/disk-tier.js';

const time = 1_795_219_200_000;
const metadata = {
  created_at: time,
  stale_at: null,
  expires_at: time + 60_000,
  access_count: 300,
  last_access: time + 5,
  load_ms: 12.5,
  scope: 'me',
  task: 'airline-3',
  rollout: '7',
  later: { than: ['this reader'] },
};
const expected = {
  kind: 'value',
  metadata: {
    createdAt: time,
    staleAt: null,
    expiresAt: time + 60_000,
    accessCount: 300,
    lastAccess: time + 5,
    loadMs: 12.5,
  },
  scope: 'me',
  task: 'airline-3',
  rollout: '7',
};

const read = (bytes: Uint8Array) => readEntryBody(new BodyScanner(Buffer.from(bytes)));

it('is what was written', () => {
  const record = makeRecord({
    method: 'search',
    params: 1,
    value: 'x',
    stamp: { time: 1, writer: '1'.repeat(16) },
    now: time,
    metadata: { expiresAt: time + 60_000, accessCount: 300, lastAccess: time + 5, loadMs: 12.5 },
  });
  expect(
    read(encodeValueBody({ ...record, scope: 'me', task: 'airline-3', rollout: '7' }, undefined)),
  ).toMatchObject(expected);
});

it('is the same in every order of the fields', () => {
  const fields = Object.entries(metadata);
  for (let turn = 0; turn < fields.length; turn += 1) {
    const turned = Object.fromEntries([...fields.slice(turn), ...fields.slice(0, turn)]);
    expect(read(pack({ result: 'x', metadata: turned }))).toMatchObject(expected);
    expect(read(pack({ metadata: turned, result: 'x' }))).toMatchObject(expected);
    expect(read(pack({ other: [1, { two: 3 }], metadata: turned, result: 'x' }))).toMatchObject(expected);
  }
});

it('is damaged wherever it is cut off', () => {
  const bytes = pack({ result: 'x', metadata });
  for (let length = 0; length < bytes.length; length += 1)
    expect(() => read(bytes.subarray(0, length)), String(length)).toThrow('malformed msgpack');
});
