/** A file system in memory that records every call, fails the one it is told to, and can lose its power. */

import { basename, dirname } from 'node:path';
import type { FileStatus, FileSystem, FolderEntry, OpenFile } from '../../src/persistence/file-system.js';

/** How a call fails. `short` does half of a read or append, and all of anything else, before it fails. */
export const faults = ['ENOSPC', 'EIO', 'EMFILE', 'short', 'power'] as const;
export type Fault = (typeof faults)[number];

/** Until `heal`, every call fails from the failing one on, or `there` those that do the same with the same path. */
export type Lasting = boolean | 'there';

/** What the disk holds after power was lost: only what was synced, half of the rest, or zeros for the rest. */
export const powerLosses = ['dropped', 'half', 'zeros'] as const;
export type PowerLoss = (typeof powerLosses)[number];

class FileNode {
  readonly kind = 'file';
  bytes = Buffer.alloc(0);
  syncedLength = 0;
  modifiedAt = 0;

  constructor(readonly number: number) {}
}

class FolderNode {
  readonly kind = 'directory';
  readonly names = new Map<string, Node>();
  /** The names that are on the disk. */
  durable = new Map<string, Node>();
  constructor(readonly number: number) {}
}

type Node = FileNode | FolderNode;

export class FaultyFileSystem implements FileSystem {
  /** Every call so far, as `operation path`. */
  readonly calls: string[] = [];
  /** Open files that were not closed. */
  openFiles = 0;
  /** The wall time that files are stamped with. */
  now: () => number = () => 0;
  #root = new FolderNode(1);
  #numbers = { next: 2 };
  /** Whether the call that is made now is recorded, and may fail. */
  #counts: () => boolean = () => true;
  #plan: { at: number; fault: Fault; lasting: Lasting; call?: string } | undefined;
  #hasPower = true;
  #reached = false;

  /** Fails call number `at`, counted from 0 as in `calls`. */
  failAt(at: number, fault: Fault, lasting: Lasting = false): void {
    this.#plan = { at, fault, lasting };
    this.#reached = false;
  }

  heal(): void {
    this.#plan = undefined;
  }

  /** Whether the planned fault has happened. */
  get wasReached(): boolean {
    return this.#reached;
  }

  /** What the next process finds when power is back. */
  afterPowerLoss(loss: PowerLoss | 'none'): FaultyFileSystem {
    const next = new FaultyFileSystem();
    next.now = this.now;
    next.#numbers = { ...this.#numbers };
    const copies = new Map<Node, Node>();
    next.#root = survivor(this.#root, loss, copies) as FolderNode;
    return next;
  }

  /** The same disk as another process uses it: with a record and faults of its own. */
  beside(counts: () => boolean = () => true): FaultyFileSystem {
    const other = new FaultyFileSystem();
    other.now = () => this.now();
    other.#root = this.#root;
    other.#numbers = this.#numbers;
    other.#counts = counts;
    return other;
  }

  /** Holds from now on what another disk holds, for all who use it. A file that both have stays the same file. */
  become(other: FaultyFileSystem): void {
    const own = new Map<number, FileNode>();
    const collect = (folder: FolderNode) => {
      for (const node of folder.names.values()) {
        if (node.kind === 'directory') collect(node);
        else own.set(node.number, node);
      }
    };
    collect(this.#root);
    const adopt = (folder: FolderNode) => {
      for (const [name, node] of folder.names) {
        const same = own.get(node.number);
        if (node.kind === 'directory') adopt(node);
        else if (same !== undefined) folder.names.set(name, Object.assign(same, node));
      }
      folder.durable = new Map(folder.names);
    };
    const next = other.copy();
    adopt(next.#root);
    this.#root.names.clear();
    for (const [name, node] of next.#root.names) this.#root.names.set(name, node);
    this.#root.durable = new Map(this.#root.names);
    this.#numbers.next = next.#numbers.next;
  }

  /** Another disk that holds the same, all of it synced. */
  copy(): FaultyFileSystem {
    return this.afterPowerLoss('none');
  }

  /** The bytes of a file, outside of the record. */
  peek(path: string): Buffer {
    const node = this.#find(path);
    if (node.kind !== 'file') throw failure('EISDIR', path);
    return Buffer.from(node.bytes);
  }

  /** Puts a file in place, outside of the record. */
  plant(path: string, bytes: Uint8Array): void {
    const folder = this.#folderOf(path, true);
    const node = new FileNode(this.#numbers.next++);
    node.bytes = Buffer.from(bytes);
    node.syncedLength = bytes.length;
    node.modifiedAt = this.now();
    folder.names.set(basename(path), node);
    folder.durable.set(basename(path), node);
  }

  /** All paths of files, outside of the record. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (folder: FolderNode, prefix: string) => {
      for (const [name, node] of folder.names) {
        if (node.kind === 'file') found.push(`${prefix}/${name}`);
        else walk(node, `${prefix}/${name}`);
      }
    };
    walk(this.#root, '');
    return found.sort();
  }

  openToRead(path: string): Promise<OpenFile> {
    return this.#call('openToRead', path, () => {
      const node = this.#find(path);
      if (node.kind !== 'file') throw failure('EINVAL', path);
      return this.#open(node, path);
    });
  }

  openToAppend(path: string): Promise<OpenFile> {
    return this.#call('openToAppend', path, () => {
      const node = this.#find(path);
      if (node.kind !== 'file') throw failure('EINVAL', path);
      return this.#open(node, path);
    });
  }

  create(path: string, _mode: number): Promise<OpenFile> {
    return this.#call('create', path, () => {
      const folder = this.#folderOf(path);
      if (folder.names.has(basename(path))) throw failure('EEXIST', path);
      const node = new FileNode(this.#numbers.next++);
      node.modifiedAt = this.now();
      folder.names.set(basename(path), node);
      return this.#open(node, path);
    });
  }

  list(path: string): Promise<FolderEntry[]> {
    return this.#call('list', path, () => {
      const node = this.#find(path);
      if (node.kind !== 'directory') throw failure('ENOTDIR', path);
      return [...node.names].map(([name, child]) => ({ name, kind: child.kind }));
    });
  }

  status(path: string): Promise<FileStatus> {
    return this.#call('status', path, () => statusOf(this.#find(path)));
  }

  makeFolder(path: string, options: { mode: number; recursive: boolean }): Promise<void> {
    return this.#call('makeFolder', path, () => {
      const parent = this.#folderOf(path, options.recursive);
      const name = basename(path);
      if (!parent.names.has(name)) parent.names.set(name, new FolderNode(this.#numbers.next++));
    });
  }

  link(path: string, newPath: string): Promise<void> {
    return this.#call('link', path, () => {
      const folder = this.#folderOf(newPath);
      if (folder.names.has(basename(newPath))) throw failure('EEXIST', newPath);
      folder.names.set(basename(newPath), this.#find(path));
    });
  }

  rename(path: string, newPath: string): Promise<void> {
    return this.#call('rename', path, () => {
      const node = this.#find(path);
      this.#folderOf(newPath).names.set(basename(newPath), node);
      this.#folderOf(path).names.delete(basename(path));
    });
  }

  unlink(path: string): Promise<void> {
    return this.#call('unlink', path, () => {
      this.#find(path);
      this.#folderOf(path).names.delete(basename(path));
    });
  }

  syncFolder(path: string): Promise<void> {
    return this.#call('syncFolder', path, () => {
      const node = this.#find(path);
      if (node.kind === 'directory') node.durable = new Map(node.names);
    });
  }

  #open(node: FileNode, path: string): OpenFile {
    this.openFiles += 1;
    let isOpen = true;
    const used = () => {
      if (!isOpen) throw failure('EBADF', path);
    };
    const bytesAt = (length: number, position: number) => {
      used();
      return Buffer.from(node.bytes.subarray(position, position + length));
    };
    const halfOf = (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1);
    return {
      read: (length, position) => this.#call('read', path, () => bytesAt(length, position), halfOf),
      readSync: (length, position) => {
        const meets = this.#record('readSync', path);
        return this.#outcome(meets(), path, () => bytesAt(length, position), halfOf);
      },
      append: (bytes) => {
        const write = (part: Uint8Array) => {
          used();
          node.bytes = Buffer.concat([node.bytes, part]);
          node.modifiedAt = this.now();
          return part.length;
        };
        const half = () => write(bytes.subarray(0, bytes.length >> 1));
        return this.#call('append', path, () => write(bytes), undefined, half);
      },
      status: () =>
        this.#call('fileStatus', path, () => {
          used();
          return statusOf(node);
        }),
      sync: () =>
        this.#call('sync', path, () => {
          used();
          node.syncedLength = node.bytes.length;
        }),
      close: () => {
        used();
        isOpen = false;
        this.openFiles -= 1;
        return this.#call('close', path, () => undefined);
      },
    };
  }

  async #call<T>(
    operation: string,
    path: string,
    run: () => T,
    shorten?: (result: T) => T,
    half?: () => T,
  ): Promise<T> {
    const meets = this.#record(operation, path);
    await Promise.resolve();
    return this.#outcome(meets(), path, run, shorten, half);
  }

  /** Records a call; tells later how it fails, if it does. */
  #record(operation: string, path: string): () => Fault | undefined {
    const at = this.calls.length;
    const isCounted = this.#counts();
    const name = `${operation} ${path}`;
    if (isCounted) this.calls.push(name);
    return () => {
      if (!this.#hasPower) throw failure('EIO', path);
      const plan = this.#plan;
      const isMeant =
        isCounted && plan !== undefined && (plan.lasting === true ? at >= plan.at : at === plan.at);
      const fails = isMeant || (plan?.lasting === 'there' && plan.call === name);
      if (plan === undefined || !fails) return undefined;
      plan.call = name;
      this.#reached = true;
      return plan.fault;
    };
  }

  #outcome<T>(
    fault: Fault | undefined,
    path: string,
    run: () => T,
    shorten?: (result: T) => T,
    half?: () => T,
  ): T {
    switch (fault) {
      case undefined:
        return run();
      case 'power':
        if (half !== undefined) half();
        this.#hasPower = false;
        throw failure('EIO', path);
      case 'short': {
        if (half !== undefined) return half();
        const result = run();
        if (shorten !== undefined) return shorten(result);
        throw failure('EIO', path);
      }
      default:
        throw failure(fault, path);
    }
  }

  #find(path: string): Node {
    let node: Node = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node.kind !== 'directory') throw failure('ENOTDIR', path);
      const next: Node | undefined = node.names.get(name);
      if (next === undefined) throw failure('ENOENT', path);
      node = next;
    }
    return node;
  }

  #folderOf(path: string, make = false): FolderNode {
    let folder = this.#root;
    for (const name of dirname(path)
      .split('/')
      .filter((part) => part !== '')) {
      let next = folder.names.get(name);
      if (next === undefined && make) {
        next = new FolderNode(this.#numbers.next++);
        folder.names.set(name, next);
        folder.durable.set(name, next);
      }
      if (next === undefined) throw failure('ENOENT', path);
      if (next.kind !== 'directory') throw failure('ENOTDIR', path);
      folder = next;
    }
    return folder;
  }
}

function survivor(node: Node, loss: PowerLoss | 'none', copies: Map<Node, Node>): Node {
  const known = copies.get(node);
  if (known !== undefined) return known;
  if (node.kind === 'directory') {
    const folder = new FolderNode(node.number);
    copies.set(node, folder);
    for (const [name, child] of loss === 'dropped' ? node.durable : node.names) {
      folder.names.set(name, survivor(child, loss, copies));
    }
    folder.durable = new Map(folder.names);
    return folder;
  }
  const file = new FileNode(node.number);
  copies.set(node, file);
  const half = (node.syncedLength + node.bytes.length) >> 1;
  if (loss === 'none') file.bytes = Buffer.from(node.bytes);
  else if (loss === 'dropped') file.bytes = Buffer.from(node.bytes.subarray(0, node.syncedLength));
  else if (loss === 'half') file.bytes = Buffer.from(node.bytes.subarray(0, half));
  else file.bytes = Buffer.concat([node.bytes.subarray(0, half), Buffer.alloc(node.bytes.length - half)]);
  file.syncedLength = file.bytes.length;
  file.modifiedAt = node.modifiedAt;
  return file;
}

function statusOf(node: Node): FileStatus {
  return {
    kind: node.kind,
    size: node.kind === 'file' ? node.bytes.length : node.names.size,
    // What is made in a folder dates it; numbers only grow.
    modifiedAt: node.kind === 'file' ? node.modifiedAt : newestIn(node),
    identity: `1:${node.number}`,
    owner: process.getuid?.() ?? 0,
  };
}

function newestIn(folder: FolderNode): number {
  let newest = 0;
  for (const { number } of folder.names.values()) newest = Math.max(newest, number);
  return newest;
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}
