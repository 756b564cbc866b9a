/** Where partitions lie below the cache folder: names are made and read here, and nowhere else. */

import { nodeCrypto } from '../../node-crypto.js';

/** What a partition's file name says. */
export interface PartitionName {
  /** md5 of the method's name, 32 hex digits. */
  readonly methodHash: string;
  /** The UTC day its first member was written, `YYYYMMDD`. */
  readonly day: string;
  /** Which writer's log it is among those of its method and day. */
  readonly partition: number;
}

/** The folder below the cache folder that damaged files are moved to. */
export const quarantineFolder = 'quarantine';

/** Methods are few and asked for at every lookup. */
const hashes = new Map<string, string>();
const maxHashes = 1_000;

const fileNamePattern = /^([0-9a-f]{32})_(\d{8})_(0|[1-9]\d{0,8})\.cache$/;
const monthPattern = /^\d{4}-\d{2}$/;
const temporaryPattern = /^\.[0-9a-f]{32}\.tmp$/;

/** The name of a method as files carry it: no method name can leave the folder or clash by case. */
export function hashMethod(method: string): string {
  const known = hashes.get(method);
  if (known !== undefined) return known;
  const hash = nodeCrypto().createHash('md5').update(method, 'utf8').digest('hex');
  if (hashes.size >= maxHashes) hashes.clear();
  hashes.set(method, hash);
  return hash;
}

/** The UTC day of a moment, `YYYYMMDD`. */
export function utcDay(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10).replaceAll('-', '');
}

/** The folder of a day, `YYYY-MM`. */
export function monthFolder(day: string): string {
  return `${day.slice(0, 4)}-${day.slice(4, 6)}`;
}

/** `<method_hash>_<YYYYMMDD>_<partition>.cache` */
export function partitionFileName(name: PartitionName): string {
  return `${name.methodHash}_${name.day}_${name.partition}.cache`;
}

/** Reads a partition's file name; `undefined` when it is none. */
export function parsePartitionFileName(fileName: string): PartitionName | undefined {
  const match = fileNamePattern.exec(fileName);
  if (match === null) return undefined;
  return { methodHash: match[1]!, day: match[2]!, partition: Number(match[3]) };
}

/** Whether a folder below the cache folder holds partitions. */
export function isMonthFolder(name: string): boolean {
  return monthPattern.test(name);
}

/** 128 random bits as hex: ids of files, and names that nobody can guess. */
export function randomId(): string {
  return nodeCrypto().randomBytes(16).toString('hex');
}

/** A name under which a file is written before it gets its final one; unpredictable, so nobody can lie in wait. */
export function temporaryFileName(): string {
  return `.${randomId()}.tmp`;
}

/** Whether a file was left behind by a process that died while it wrote one. */
export function isTemporaryFileName(name: string): boolean {
  return temporaryPattern.test(name);
}
