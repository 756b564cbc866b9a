/** What the checks of remote tiers run on: machines that share what one check stores. */

import assert from 'node:assert/strict';
import { systemClock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { Stamp } from '../stamp.js';
import type {
  LoadLease,
  LoadLeaseRequest,
  LoadTicket,
  Remote,
  RemoteChange,
  RemoteTier,
  TierRecord,
} from '../tier.js';

export const method = 'search';
export const key = '0123456789abcdef0123456789abcdef';
/** msgpack of a small integer. */
const encodedInteger = (number: number) => Uint8Array.of(number);

/** Another machine, and what it was told. */
export class Machine {
  readonly changes: RemoteChange[] = [];
  readonly refused: Pick<TierRecord, 'key' | 'stamp'>[] = [];
  readonly errors: CacheError[] = [];
  readonly tier: RemoteTier;
  #newest = 0;
  readonly #writer: string;

  constructor(remote: Remote, number: number) {
    this.#writer = number.toString(16).padStart(16, '0');
    this.tier = remote.connect({
      clock: systemClock,
      writer: this.#writer,
      persistDir: undefined,
      newestStamp: () => ({ time: this.#newest, writer: this.#writer }),
      onError: (error) => void this.errors.push(error),
      onStamp: ({ time }) => {
        this.#newest = Math.max(this.#newest, time);
      },
      onClock: () => undefined,
      onChange: (change) => void this.changes.push(change),
      onRefused: (record) => void this.refused.push(record),
      onStored: () => undefined,
      flushFaster: async () => undefined,
    });
  }

  stamp(): Stamp {
    this.#newest = Math.max(Date.now() * 1_000, this.#newest + 1);
    return { time: this.#newest, writer: this.#writer };
  }

  record(
    number: number,
    more: { stamp?: Stamp; tags?: string[]; expiresAt?: number; key?: string } = {},
  ): TierRecord {
    const { stamp = this.stamp(), tags, expiresAt = null } = more;
    const now = Date.now();
    const times = { createdAt: now, staleAt: expiresAt, expiresAt, lastAccess: now };
    return {
      key: more.key ?? key,
      method,
      stamp,
      encoded: encodedInteger(number),
      metadata: { ...times, accessCount: 0, loadMs: 1 },
      ...(tags && { tags }),
    };
  }

  async set(number: number, more: { tags?: string[]; expiresAt?: number; key?: string } = {}): Promise<void> {
    this.tier.write(this.record(number, more));
    await this.tier.flush();
  }

  async fill(number: number, ticket: LoadTicket, tags?: string[]): Promise<void> {
    this.tier.write(this.record(number, { stamp: ticket.stamp, ...(tags && { tags }) }), ticket);
    await this.tier.flush();
  }

  async find(of = key): Promise<number | undefined> {
    return (await this.tier.lookup(of, method))?.encoded[0];
  }

  lease(more: Partial<LoadLeaseRequest> = {}): LoadLease {
    const { signal } = new AbortController();
    return this.tier.takeLease({ key, method, signal, isNested: false, known: undefined, ...more });
  }

  /** The right to load what is not there. */
  async ticket(more: Partial<LoadLeaseRequest> = {}): Promise<LoadTicket> {
    const lease = this.lease(more);
    assert.equal(await lease.next(), 'load', 'what is not there is to be loaded');
    assert.ok(lease.ticket !== undefined, 'who is to load has a ticket');
    return lease.ticket;
  }
}

/** Machines that share what one check stores. */
export class Space {
  readonly #make: () => Remote | Promise<Remote>;
  readonly #nodes: Machine[] = [];

  constructor(make: () => Remote | Promise<Remote>) {
    this.#make = make;
  }

  async join(): Promise<Machine> {
    const node = new Machine(await this.#make(), this.#nodes.length + 1);
    this.#nodes.push(node);
    await node.tier.open();
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(({ tier }) => tier.close()));
  }
}
