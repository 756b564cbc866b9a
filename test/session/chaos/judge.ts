/**
 * Judges a chaos run by what its nodes have told. What is forgiven is what sessions can't promise, and no more: a Redis that was
 * set back to an older snapshot believes what that says, and whoever holds what Redis has lost learns of it when it is asked next.
 */

import type { AcceptedWrite, HeldLease, Told } from './told.js';

/** A node, and when it was started and ended. Times in ms, by the clock that all processes share. */
export interface JudgedNode {
  readonly name: string;
  readonly told: Told;
  until: number;
}

/** A node that was killed, stopped, cut off or closed: its sessions are to be found elsewhere in time. */
export interface Death {
  readonly node: JudgedNode;
  readonly how: string;
  /** Right before it was done; what the node got later may be any node's. */
  readonly before: number;
  /** When it had been done: from here on the bound counts. */
  readonly at: number;
  readonly boundMs: number;
}

/** Redis has lost data. */
export interface Loss {
  readonly kind: 'empty' | 'snapshot' | 'flush';
  /** What was told before is in the snapshot; what was told later may not be. */
  readonly savedAt: number;
  /** The loss came after this moment, and before the other: between them nothing was given out that counts later. */
  readonly from: number;
  readonly backAt: number;
  /** Until when nodes may not have noticed. */
  readonly noticedAt: number;
}

/** A time during which the process stood still through which all nodes talk to Redis. */
export interface Stall {
  readonly from: number;
  readonly to: number;
}

/** What has happened to whom. */
export interface ChaosRecord {
  readonly nodes: readonly JudgedNode[];
  readonly deaths: readonly Death[];
  readonly losses: readonly Loss[];
  readonly stalls: readonly Stall[];
}

/** What a run has come to: everything but `counts` should be empty. */
export interface ChaosVerdict {
  /** Two had one fencing number. */
  readonly shared: string[];
  /** A write was accepted after a higher number had been given out. */
  readonly unfenced: string[];
  /** Two nodes took themselves for the holder at a time. */
  readonly overlaps: string[];
  /** An orphan was claimed by two, or one was told of twice. */
  readonly twice: string[];
  /** A node heard of no orphan, or nobody took it, or too late. */
  readonly missed: string[];
  readonly unhandled: string[];
  readonly counts: {
    readonly writes: number;
    readonly refused: number;
    readonly deaths: number;
    /** Of these, how many would have been late but for the time during which the machine stood still. */
    readonly stalledDeaths: number;
    /** Sessions whose holder died. */
    readonly orphans: number;
    /** How often some other node was to hear of one. */
    readonly hearings: number;
    /** From a death to when an orphan had a new holder that knew of it: the slowest, in ms. */
    readonly slowestMs: number;
  };
}

export function judge(record: ChaosRecord): ChaosVerdict {
  const { nodes, deaths } = record;
  const judged = deaths.map((death) => judgeDeath(record, death));
  return {
    ...judgeHolders(record),
    unfenced: judgeWrites(record),
    twice: judgeOrphans(record),
    missed: judged.flatMap(({ missed }) => missed),
    unhandled: nodes.flatMap(({ told }) => told.unhandled),
    counts: {
      writes: nodes.reduce((sum, { told }) => sum + told.writes.length, 0),
      refused: nodes.reduce((sum, { told }) => sum + told.refused, 0),
      deaths: deaths.length,
      stalledDeaths: judged.filter(({ isStalled }) => isStalled).length,
      orphans: judged.reduce((sum, { orphans }) => sum + orphans, 0),
      hearings: judged.reduce((sum, { hearings }) => sum + hearings, 0),
      slowestMs: Math.round(Math.max(0, ...judged.map(({ slowestMs }) => slowestMs))),
    },
  };
}

/** Whether everybody has heard and every session is with another by now. */
export function isSeenTo(record: ChaosRecord, death: Death): boolean {
  return judgeDeath(record, death).missed.length === 0;
}

interface JudgedDeath {
  readonly missed: string[];
  readonly isStalled: boolean;
  readonly orphans: number;
  readonly hearings: number;
  readonly slowestMs: number;
}

function judgeDeath(record: ChaosRecord, death: Death): JudgedDeath {
  const end = endOf(record.stalls, death);
  const others = record.nodes.filter(
    (each) => each !== death.node && joinedAt(each, death.before) !== undefined,
  );
  const held = death.node.told.leases.filter(({ from, lostAt }) => from < death.before && lostAt >= death.at);
  const missed: string[] = [];
  let [last, hearings] = [death.at, 0];
  const note = (who: string, { id }: HeldLease, at: number | undefined) => {
    if (at !== undefined) last = Math.max(last, at);
    if (at !== undefined && at <= end) return;
    const when = at === undefined ? 'not at all' : `${Math.round(at - death.at)} ms after it`;
    missed.push(`${id} of ${death.node.name}, ${death.how} at ${Math.round(death.at)}: ${who} ${when}`);
  };
  for (const lease of held) {
    for (const other of others) {
      const later = since(other.told.orphans, death.before, ({ at }) => at);
      const heard = later.find(({ id, from }) => id === lease.id && from === lease.incarnation);
      const isInTime = heard !== undefined && heard.at <= end;
      if (!isInTime && !isAlive(other, death.before, end)) continue;
      hearings += 1;
      note(`${other.name} heard of it`, lease, heard?.at);
    }
    const taken = record.nodes
      .filter((each) => each !== death.node)
      .flatMap(({ told }) => since(told.leases, death.before, ({ from }) => from))
      .filter(({ id, fence }) => id === lease.id && fence > lease.fence)
      .map(({ from }) => from);
    note('another took it', lease, taken.length === 0 ? undefined : Math.min(...taken));
  }
  return {
    missed,
    isStalled: missed.length === 0 && last > death.at + death.boundMs,
    orphans: held.length,
    hearings,
    slowestMs: last - death.at,
  };
}

/** When the bound is over: the time for which everybody's way to Redis stood still is not counted. */
function endOf(stalls: readonly Stall[], { at, boundMs }: Death): number {
  let end = at + boundMs;
  for (const stall of stalls)
    if (stall.to > at && stall.from < end) end += stall.to - Math.max(stall.from, at);
  return end;
}

function joinedAt({ told }: JudgedNode, before: number): number | undefined {
  return told.joined.findLast(({ at }) => at < before)?.at;
}

/** Whether it was among the living all the time, as it has told: who was not connected can hear nothing. */
function isAlive(node: JudgedNode, from: number, to: number): boolean {
  const joined = joinedAt(node, from);
  if (joined === undefined || node.until <= to || node.told.closingAt <= to) return false;
  return !node.told.lapsed.some(({ at }) => at > joined && at < to);
}

/** Those later than a moment, of a list in the order of times. */
function since<T>(list: readonly T[], moment: number, timeOf: (each: T) => number): T[] {
  return list.slice(list.findLastIndex((each) => timeOf(each) <= moment) + 1);
}

function judgeHolders({ nodes, losses }: ChaosRecord): Pick<ChaosVerdict, 'shared' | 'overlaps'> {
  const spans = new Map<string, (HeldLease & { readonly who: string; readonly to: number })[]>();
  const owners = new Map<string, string>();
  const shared: string[] = [];
  for (const { name, told, until } of nodes) {
    for (const lease of told.leases) {
      const { id, fence, incarnation } = lease;
      const owner = owners.get(`${id} ${fence}`);
      if (owner !== undefined) shared.push(`${id} ${fence}: ${owner} and ${incarnation}`);
      owners.set(`${id} ${fence}`, incarnation);
      const span = { ...lease, who: name, to: Math.min(lease.heldAt, until) };
      spans.set(id, [...(spans.get(id) ?? []), span]);
    }
  }
  const overlaps: string[] = [];
  for (const [id, all] of spans) {
    all.sort((one, other) => one.from - other.from);
    for (const [at, span] of all.entries()) {
      for (const other of all.slice(0, at)) {
        const to = Math.min(other.to, span.to);
        if (to <= span.from) continue;
        // Who holds what Redis has forgotten learns of it with its next renewal.
        const isForgiven = losses.some(({ from, noticedAt }) => span.from >= from && to <= noticedAt);
        if (isForgiven) continue;
        const both = Math.round(to - span.from);
        overlaps.push(`${id}: ${other.who} (${other.fence}) and ${span.who} (${span.fence}), ${both} ms`);
      }
    }
  }
  return { shared, overlaps };
}

function judgeWrites({ nodes, losses }: ChaosRecord): string[] {
  const leases = new Map<string, HeldLease[]>();
  for (const lease of nodes.flatMap(({ told }) => told.leases))
    leases.set(lease.id, [...(leases.get(lease.id) ?? []), lease]);
  // Redis goes by an older snapshot until the session is claimed anew: then only what was given out after the
  // snapshot, and while that Redis was still there, is what it does not know of.
  const isForgiven = (newer: HeldLease, { how, ended }: AcceptedWrite) =>
    how === 'zombie' &&
    losses.some(
      ({ kind, savedAt, from, backAt }) =>
        kind === 'snapshot' && newer.from >= savedAt && newer.from < backAt && ended >= from,
    );
  return nodes.flatMap(({ told }) =>
    told.writes.flatMap((write) => {
      const newer = leases
        .get(write.id)
        ?.find((lease) => lease.fence > write.fence && lease.from < write.began && !isForgiven(lease, write));
      if (newer === undefined) return [];
      const lateMs = Math.round(write.began - newer.from);
      return [`${write.id}: ${write.how} wrote as ${write.fence}, ${lateMs} ms after ${newer.fence}`];
    }),
  );
}

function judgeOrphans({ nodes, losses }: ChaosRecord): string[] {
  const nodeOf = new Map(
    nodes.flatMap(({ name, told }) => told.joined.map(({ incarnation }) => [incarnation, name] as const)),
  );
  const found = new Set<string>();
  const first = new Map<string, { readonly takenBy: string; readonly at: number }>();
  for (const { name, told } of nodes) {
    const own = new Map<string, number>();
    for (const { id, from, takenBy, at } of told.orphans) {
      // A node that claims what an incarnation of its own has left may do so more than once.
      if (takenBy === '' || takenBy === nodeOf.get(from)) continue;
      const key = `${id} of ${from}`;
      const [known, before] = [first.get(key), own.get(key)];
      const isSetBack = (since: number) =>
        losses.some(
          ({ from: lostFrom, backAt }) => Math.min(since, at) < backAt && Math.max(since, at) >= lostFrom,
        );
      if (before !== undefined && !isSetBack(before)) found.add(`${key}: ${name} heard of it twice`);
      if (known !== undefined && known.takenBy !== takenBy && !isSetBack(known.at))
        found.add(`${key}: taken by ${known.takenBy} and by ${takenBy}`);
      own.set(key, at);
      first.set(key, known ?? { takenBy, at });
    }
  }
  return [...found];
}
