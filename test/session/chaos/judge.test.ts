/** The judge of chaos runs: what it finds, and what it forgives. Times in ms. */

import { describe, expect, it } from 'vitest';
import type { Message } from '../../helper/child-process.js';
import { type ChaosRecord, type Death, type JudgedNode, judge, type Loss } from './judge.js';
import { Told } from './told.js';

/** A node that has told these. */
function node(name: string, ...messages: Message[]): JudgedNode {
  const hear = new Map<string, (message: Message) => void>();
  const told = Told.by({ on: (kind, listener) => void hear.set(kind, listener) });
  for (const message of [['joined', `${name}.1`, 0] as Message, ...messages]) hear.get(message[0])!(message);
  return { name, told, until: Number.POSITIVE_INFINITY };
}

const verdict = (nodes: JudgedNode[], record: Partial<ChaosRecord> = {}) =>
  judge({ nodes, deaths: [], losses: [], stalls: [], ...record });
const snapshot: Loss = { kind: 'snapshot', savedAt: 100, from: 200, backAt: 300, noticedAt: 400 };
const deathOf = (dead: JudgedNode): Death => ({ node: dead, how: 'kill', before: 50, at: 51, boundMs: 100 });

describe('a write under an earlier number', () => {
  const zombie = (began: number): Message => ['wrote', 'chat', 1, began, began + 1, 'zombie'];

  it('is found', () => {
    expect(verdict([node('a', ['got', 'chat', 2, 'a.1', 10], zombie(11))]).unfenced).toHaveLength(1);
    expect(verdict([node('a', ['got', 'chat', 2, 'a.1', 10], zombie(9))]).unfenced).toEqual([]);
  });

  it('is forgiven only where Redis has lost the later number, and only behind the back of a node', () => {
    const claimedAt = (at: number, how: Message = zombie(310)) =>
      verdict([node('a', ['got', 'chat', 2, 'a.1', at], how)], { losses: [snapshot] }).unfenced;
    // In the snapshot; lost with the Redis that has ended, though told when it had; given out by the next one.
    expect(claimedAt(99)).toHaveLength(1);
    expect(claimedAt(150)).toEqual([]);
    expect(claimedAt(250)).toEqual([]);
    expect(claimedAt(301)).toHaveLength(1);
    expect(claimedAt(150, ['wrote', 'chat', 1, 310, 311, 'lease'])).toHaveLength(1);
    expect(claimedAt(150, zombie(160))).toHaveLength(1);
  });

  it('is found where one of two later numbers was lost', () => {
    const claims: Message[] = [
      ['got', 'chat', 2, 'a.1', 150],
      ['got', 'chat', 3, 'a.1', 301],
    ];
    expect(verdict([node('a', ...claims, zombie(310))], { losses: [snapshot] }).unfenced).toHaveLength(1);
  });
});

describe('two holders at a time', () => {
  const held = (fence: number, from: number, to: number): Message[] => [
    ['got', 'chat', fence, 'a.1', from],
    ['lost', 'chat', fence, to, to],
  ];

  it('are found, whichever of many they are', () => {
    const nodes = [
      node('a', ...held(1, 0, 10)),
      node('b', ...held(2, 10, 20)),
      node('c', ...held(3, 19, 30)),
    ];
    expect(verdict(nodes).overlaps).toEqual(['chat: b (2) and c (3), 1 ms']);
  });

  it('are forgiven until what Redis has lost may have been noticed', () => {
    const during = (to: number) =>
      verdict([node('a', ...held(1, 0, to)), node('b', ...held(2, 310, 500))], { losses: [snapshot] });
    expect(during(390).overlaps).toEqual([]);
    expect(during(401).overlaps).toHaveLength(1);
  });

  it('with one number are found', () => {
    expect(verdict([node('a', ...held(1, 0, 1)), node('b', ...held(1, 5, 6))]).shared).toHaveLength(1);
  });
});

describe('an orphan', () => {
  const holder = () => node('a', ['got', 'chat', 1, 'a.1', 10]);
  const heard = (at: number, takenBy = 'b'): Message => ['orphaned', 'chat', 'a.1', takenBy, at];
  const taken = (at: number): Message => ['got', 'chat', 2, 'b.1', at];
  const judged = (b: Message[], c: Message[], record: Partial<ChaosRecord> = {}) => {
    const a = holder();
    return verdict([a, node('b', ...b), node('c', ...c)], { deaths: [deathOf(a)], ...record });
  };

  it('that all have heard of and one has taken in time is well', () => {
    const { missed, twice, counts } = judged([taken(140), heard(141)], [heard(151)]);
    expect([missed, twice]).toEqual([[], []]);
    expect(counts).toMatchObject({ deaths: 1, orphans: 1, hearings: 2, slowestMs: 100, stalledDeaths: 0 });
  });

  it.each([
    ['is taken too late', [taken(152), heard(141)], [heard(141)], /another took it 101 ms after it/],
    ['is taken by nobody', [heard(141)], [heard(141)], /another took it not at all/],
    ['is heard of too late', [taken(140), heard(152)], [heard(141)], /b heard of it 101 ms/],
    ['was heard of before', [taken(140), heard(49)], [heard(141)], /b heard of it not at all/],
    ['a node does not hear of', [taken(140), heard(141)], [], /c heard of it not at all/],
  ] as const)('that %s is found', (_, b, c, message) => {
    const { missed } = judged([...b], [...c]);
    expect(missed).toEqual([expect.stringMatching(message)]);
  });

  it('need not be heard of by a node that was not there', () => {
    expect(judged([taken(140), heard(141)], [['lapsed', 'c.1', 60]]).missed).toEqual([]);
    expect(judged([taken(140), heard(141)], [['closing', 60]]).missed).toEqual([]);
  });

  it('has as much more time as the way to Redis stood still, and that is counted', () => {
    const stalls = [
      { from: 0, to: 61 },
      { from: 155, to: 160 },
    ];
    const late = judged([taken(160), heard(141)], [heard(141)], { stalls });
    expect([late.missed, late.counts.stalledDeaths]).toEqual([[], 1]);
    expect(judged([taken(168), heard(141)], [heard(141)], { stalls }).missed).toHaveLength(1);
  });

  it('that was given back before is none', () => {
    const a = node('a', ['got', 'chat', 1, 'a.1', 10], ['lost', 'chat', 1, 40, 41]);
    expect(verdict([a, node('b')], { deaths: [deathOf(a)] }).missed).toEqual([]);
  });

  it('that two have claimed, or that was told of twice, is found', () => {
    const all = (b: Message[], c: Message[]) => verdict([node('a'), node('b', ...b), node('c', ...c)]).twice;
    expect(all([heard(140)], [heard(141, 'c')])).toEqual(['chat of a.1: taken by b and by c']);
    expect(all([heard(140), heard(150)], [heard(141)])).toEqual(['chat of a.1: b heard of it twice']);
    // It was set free first; and a node may claim anew what an earlier stay of its own has left.
    expect(all([heard(140, ''), heard(150)], [heard(150)])).toEqual([]);
    expect(all([heard(140, 'a'), heard(150, 'a')], [])).toEqual([]);
  });

  it('may be claimed anew where the first claim was lost', () => {
    const nodes = [node('a'), node('b', heard(150), heard(310, 'c')), node('c', heard(310, 'c'))];
    expect(verdict(nodes, { losses: [snapshot] }).twice).toEqual([]);
  });
});
