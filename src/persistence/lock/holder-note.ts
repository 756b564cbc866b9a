/** The note beside a lock folder: who holds it, and what is known of that process. */

import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { hasCode } from '../file-system.js';
import { randomId } from '../format/partition-name.js';

/** Who holds a folder. */
export interface DirectoryHolder {
  readonly host: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly since: number;
}

/** What a holder leaves beside its lock folder. */
export interface HolderNote extends DirectoryHolder {
  /** Where the process id means something: ids of two containers on one host are strangers, as are those of two hosts. */
  readonly space: string;
  /** Tells this holder from all others. */
  readonly token: string;
  /** The worker thread that holds it; 0, or nothing, is the process's main thread. */
  readonly thread?: number;
  /** The system's id of that worker thread, where `/proc` tells of threads. */
  readonly task?: number;
}

/** A note of this thread. */
export function ownNote(): HolderNote {
  const task = threadId === 0 ? undefined : ownTask();
  return {
    host: hostname(),
    pid: process.pid,
    since: Date.now(),
    space: ownSpace(),
    token: randomId(),
    thread: threadId,
    ...(task !== undefined && { task }),
  };
}

/** Whether a note is of this very process, whatever its thread. */
export function isOwn(note: HolderNote): boolean {
  return isLocal(note) && note.pid === process.pid;
}

/** Whether the process or the worker thread that left a note is known to have ended. */
export function hasEnded(note: HolderNote | undefined): boolean {
  return note !== undefined && isLocal(note) && (!isAlive(note.pid) || hasTaskEnded(note));
}

/** Whether a note is of a worker thread of this machine: such a thread can be ended while its process lives on. */
export function isOfLocalThread(note: HolderNote | undefined): boolean {
  return note?.thread !== undefined && note.thread !== 0 && isLocal(note);
}

/** What a note says of its holder. */
export function holderOf(note: HolderNote | undefined): DirectoryHolder | undefined {
  return note && { host: note.host, pid: note.pid, since: note.since };
}

/** The holder for people to read. */
export function describeHolder({ host, pid, since }: DirectoryHolder): string {
  return `process ${pid} on ${host} since ${new Date(since).toISOString()}`;
}

/** What was read as a note, if it is one. */
export function toNote(value: unknown): HolderNote | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { host, pid, since, space, token, thread, task } = value as Partial<
    Record<keyof HolderNote, unknown>
  >;
  if (typeof host !== 'string' || typeof space !== 'string' || typeof token !== 'string') return undefined;
  if (!Number.isSafeInteger(pid) || typeof since !== 'number' || Math.abs(since) > 8.64e15) return undefined;
  return {
    host,
    pid: pid as number,
    since,
    space,
    token,
    ...(typeof thread === 'number' && { thread }),
    ...(Number.isSafeInteger(task) && { task: task as number }),
  };
}

function isLocal(note: HolderNote): boolean {
  return note.host === hostname() && note.space === ownSpace();
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** Whether a worker thread was terminated: its process lives on, and would say nothing of it. */
function hasTaskEnded({ pid, task }: HolderNote): boolean {
  if (task === undefined || !isProcOurs()) return false;
  const tasks = `/proc/${pid}/task`;
  // Another user's processes may be hidden: where not even the main thread is seen, nothing is known.
  return existsSync(`${tasks}/${pid}`) && !existsSync(`${tasks}/${task}`);
}

function ownTask(): number | undefined {
  const [pid, , task] = orNothing(() => readlinkSync('/proc/thread-self')).split('/');
  return pid === `${process.pid}` ? Number(task) : undefined;
}

/** Whether the ids below `/proc` are those of this process's kin, not of a host that has lent it to a container. */
function isProcOurs(): boolean {
  return orNothing(() => readlinkSync('/proc/self')) === `${process.pid}`;
}

let space: string | undefined;

/** Where the ids of this process's kin mean something: the running system, and its namespace of process ids. */
function ownSpace(): string {
  space ??= [bootId, namespace].map((read) => orNothing(read)).join(' ');
  return space;
}

/** Hosts may share a name, and the first namespace has the same number everywhere; this tells them apart. */
const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const namespace = () => readlinkSync('/proc/self/ns/pid');

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    // No such thing here: one space for all of the host.
    return '';
  }
}
