/** The threads that use an arena: who they are, and who of them is dead. */

/** The most threads at a time. */
export const mostMembers = 1024;

/** What a thread counts in an arena, each in a place of its own. */
export const counterNames = [
  ...([
    'hits',
    'misses',
    'sets',
    'refused',
    'evicted',
    'expired',
    'replaced',
    'deleted',
    'invalidated',
    'moved',
  ] as const),
  ...(['bypassedReads', 'bypassedWrites', 'bypassedLoads', 'resets', 'coalesced', 'takenOver'] as const),
] as const;

/** What is counted. */
export type CounterName = (typeof counterNames)[number];

/** The place of each counter. */
export const counter = Object.fromEntries(counterNames.map((name, place) => [name, place])) as Readonly<
  Record<CounterName, number>
>;

const countersOfMember = 16;

/** What the threads of an arena know of each other, in memory that they share. */
export interface MembersMemory {
  readonly ids: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
}

export function allocateMembers(): MembersMemory {
  return {
    ids: new SharedArrayBuffer((mostMembers + 1) * 4),
    counters: new SharedArrayBuffer(mostMembers * countersOfMember * 8),
  };
}

/**
 * The threads of an arena. Each has an id that no other has had before it: its place among the members, and how many
 * were given an id before. It is alive as long as its place says so, and only its own closing or the `close` event of its
 * `MessagePort` changes that: never the time, since a thread that is alive may be stopped in a debugger.
 */
export class Members {
  readonly #ids: Int32Array;
  readonly #counters: Float64Array;

  constructor({ ids, counters }: MembersMemory) {
    this.#ids = new Int32Array(ids);
    this.#counters = new Float64Array(counters);
  }

  /** Gives out an id; `undefined` when there are too many members. */
  join(): number | undefined {
    for (let place = 0; place < mostMembers; place += 1) {
      if (Atomics.load(this.#ids, place) !== 0) continue;
      const id = (Atomics.add(this.#ids, mostMembers, 1) % 2 ** 20) * mostMembers + place + 1;
      if (Atomics.compareExchange(this.#ids, place, 0, id) === 0) return id;
    }
    return undefined;
  }

  isAlive(id: number): boolean {
    return Atomics.load(this.#ids, placeOf(id)) === id;
  }

  /** A member is dead, or has left. */
  leave(id: number): void {
    Atomics.compareExchange(this.#ids, placeOf(id), id, 0);
  }

  get size(): number {
    let alive = 0;
    for (let place = 0; place < mostMembers; place += 1) if (Atomics.load(this.#ids, place) !== 0) alive += 1;
    return alive;
  }

  /** The counters of one member, for itself to write. Who gets its place later counts on. */
  countersOf(id: number): Float64Array {
    const start = placeOf(id) * countersOfMember;
    return this.#counters.subarray(start, start + counterNames.length);
  }

  /** What all have counted together. */
  sums(): Record<CounterName, number> {
    const sums = {} as Record<CounterName, number>;
    for (const [at, name] of counterNames.entries()) {
      sums[name] = 0;
      for (let place = 0; place < mostMembers; place += 1)
        sums[name] += this.#counters[place * countersOfMember + at] ?? 0;
    }
    return sums;
  }
}

function placeOf(id: number): number {
  return (id - 1) % mostMembers;
}
