/** What has happened in one rollout, and what that makes of each resource: its chain. */

import { nodeCrypto } from '../node-crypto.js';
import { everything, overlap, type Resource, resourceOf } from '../tools/resource.js';

/** A change of some resources. */
interface Change {
  readonly writes: readonly Resource[];
  readonly digest: string;
}

/** A resource that was asked for, and where its chain stands. */
interface Tracked {
  readonly resource: Resource;
  /** `''` while nothing has happened to it. */
  chain: string;
  /** Name and chain as a part of keys. */
  part: string;
}

/**
 * The changes of a rollout in their order. A resource's chain is the hash of all those that overlap it, so two rollouts
 * that began in the same state have the same chain exactly where the same things have happened.
 */
export class History {
  readonly #changes: Change[] = [];
  readonly #tracked = new Map<string, Tracked>();
  #forgotten = 0;

  /** How many changes there were. */
  get length(): number {
    return this.#forgotten + this.#changes.length;
  }

  /** How much is remembered: changes, and resources that were asked for. */
  get size(): number {
    return this.#changes.length + this.#tracked.size;
  }

  /** Forgets what has happened, but that something has: from here on it is like no other. */
  forget(): void {
    this.#forgotten += this.#changes.length;
    this.#changes.length = 0;
    this.#tracked.clear();
    this.appendUnknown([resourceOf(everything)]);
  }

  /** The name and the chain of a resource, as a part of keys. */
  partFor(name: string): string {
    return (this.#tracked.get(name) ?? this.#track(name)).part;
  }

  /** The chains of resources, by name. */
  chainsOf(names: readonly string[]): Readonly<Record<string, string>> {
    return Object.fromEntries(names.map((name) => JSON.parse(this.partFor(name)) as [string, string]));
  }

  /** The resource of a folded name. */
  resource(name: string): Resource {
    return (this.#tracked.get(name) ?? this.#track(name)).resource;
  }

  /** Appends a change that is told from others by `digest`, 32 hex digits. */
  append(writes: readonly Resource[], digest: string): void {
    const change = { writes, digest };
    this.#changes.push(change);
    for (const tracked of this.#tracked.values()) extend(tracked, change);
  }

  /** Appends a change that is like no other: what it came to is not known. */
  appendUnknown(writes: readonly Resource[]): void {
    this.append(writes, nodeCrypto().randomBytes(16).toString('hex'));
  }

  #track(name: string): Tracked {
    const tracked = { resource: resourceOf(name), chain: '', part: '' };
    tracked.part = partOf(tracked);
    for (const change of this.#changes) extend(tracked, change);
    this.#tracked.set(name, tracked);
    return tracked;
  }
}

function extend(tracked: Tracked, { writes, digest }: Change): void {
  if (!writes.some((each) => overlap(each, tracked.resource))) return;
  tracked.chain = nodeCrypto().hash('md5', tracked.chain + digest);
  tracked.part = partOf(tracked);
}

function partOf({ resource, chain }: Tracked): string {
  return JSON.stringify([resource.name, chain]);
}
