/** The calls of a recording, to find the one that is nearest to another. */

import type { KeyOrigin } from '../key/key-origin.js';
import { TimeSlice } from '../next-turn.js';
import type { RecordedCall } from '../recorded-tools.js';
import type { SlowTier, TierRecord } from '../tier.js';
import { type ArgumentDistance, distanceBetween, type Leaves, leavesOf } from './argument-distance.js';

/** A recorded call. */
interface Known extends Pick<KeyOrigin, 'scope' | 'version'> {
  readonly key: string;
  readonly leaves: Leaves;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** A recorded call, and how far it is from the one that was asked for. */
export interface Nearest extends ArgumentDistance {
  readonly key: string;
  /** Whether it was recorded under the scope and the version that were asked for. */
  readonly isOfScope: boolean;
  readonly isOfVersion: boolean;
}

/** The calls of one method. */
interface Calls {
  readonly known: Known[];
  /** Of how many calls it is not known what their keys were made from. */
  unknown: number;
}

/** All calls of a recording. They are read at the first question, and their params stay in memory. */
export class RecordedCalls {
  readonly #tier: SlowTier;
  readonly #decode: (encoded: Uint8Array) => unknown;
  #read: Promise<ReadonlyMap<string, Calls>> | undefined;

  constructor(tier: SlowTier, decode: (encoded: Uint8Array) => unknown) {
    this.#tier = tier;
    this.#decode = decode;
  }

  /** The methods that anything is recorded of. */
  async methods(): Promise<string[]> {
    return [...(await this.#all()).keys()].sort();
  }

  /** Of how many calls of a method it is not known what their keys were made from. */
  async unknown(method: string): Promise<number> {
    return (await this.#all()).get(method)?.unknown ?? 0;
  }

  /**
   * The recorded call of the same method that is nearest. Of those as near one under the same scope and version goes first,
   * then the latest, then the smaller key.
   * @param isExactScope only those under the same scope and version
   */
  async nearest({ method, origin }: RecordedCall, isExactScope: boolean): Promise<Nearest | undefined> {
    if (origin?.encodedParams === undefined) return undefined;
    const leaves = leavesOf(this.#decode(origin.encodedParams));
    const slice = new TimeSlice();
    let best: (Nearest & Pick<Known, 'createdAt'>) | undefined;
    for (const { key, createdAt, ...call } of (await this.#all()).get(method)?.known ?? []) {
      if (slice.isOver) await slice.next();
      const isOfScope = call.scope === origin.scope;
      const isOfVersion = call.version === origin.version;
      if (isExactScope && !(isOfScope && isOfVersion)) continue;
      const measured = { key, createdAt, isOfScope, isOfVersion, ...distanceBetween(leaves, call.leaves) };
      if (best === undefined || isNearer(measured, best)) best = measured;
    }
    return best;
  }

  #all(): Promise<ReadonlyMap<string, Calls>> {
    this.#read ??= this.#readAll().catch((error: unknown) => {
      this.#read = undefined;
      throw error;
    });
    return this.#read;
  }

  async #readAll(): Promise<ReadonlyMap<string, Calls>> {
    const all = new Map<string, Calls>();
    for await (const record of this.#tier.entries()) {
      const calls = all.get(record.method) ?? { known: [], unknown: 0 };
      all.set(record.method, calls);
      const leaves = this.#leavesOf(record);
      if (leaves === undefined) calls.unknown += 1;
      else {
        const { key, scope, version, metadata } = record;
        calls.known.push({
          ...{ key, leaves, createdAt: metadata.createdAt },
          ...(scope !== undefined && { scope }),
          ...(version !== undefined && { version }),
        });
      }
    }
    return all;
  }

  #leavesOf({ encodedParams }: TierRecord): Leaves | undefined {
    try {
      return encodedParams && leavesOf(this.#decode(encodedParams));
    } catch {
      // Written with codecs that this cache has not.
      return undefined;
    }
  }
}

type Measured = Nearest & Pick<Known, 'createdAt'>;

function isNearer(one: Measured, other: Measured): boolean {
  const others = ({ isOfScope, isOfVersion }: Measured) => Number(!isOfScope) + Number(!isOfVersion);
  const order =
    one.distance - other.distance || others(one) - others(other) || other.createdAt - one.createdAt;
  return order < 0 || (order === 0 && one.key < other.key);
}
