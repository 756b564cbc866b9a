/** The entries of the memory tier by method: those of one are listed, and cleared at once, without a look at the others. */

/** What an entry carries for the one group it is in. The group's alone to change. */
export interface Grouped<E extends Grouped<E>> {
  readonly method: string;
  readonly bytes: number;
  /** The group it is in or was in last. */
  group: MethodGroup<E> | undefined;
  /** Its place there, -1 outside. */
  place: number;
}

/** The entries of one method. */
export class MethodGroup<E extends Grouped<E>> {
  readonly method: string;
  readonly #entries: E[] = [];
  #bytes = 0;
  /** Whether its entries are not to be used any more, though the store may have them for a while yet. */
  isCleared = false;

  constructor(method: string) {
    this.method = method;
  }

  get size(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Any entry; `undefined` when there are none. */
  get last(): E | undefined {
    return this.#entries.at(-1);
  }

  add(entry: E): void {
    entry.group = this;
    entry.place = this.#entries.length;
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
  }

  /** Takes an entry of this group out, if it is in. The entry still knows its group. */
  remove(entry: E): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    this.#bytes -= entry.bytes;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[place] = last;
    last.place = place;
  }

  /** Its entries now. A copy of the list of a million takes a millisecond. */
  entries(): E[] {
    return this.#entries.slice();
  }
}

/** All groups that have entries and are not cleared. */
export class MethodGroups<E extends Grouped<E>> {
  readonly #byMethod = new Map<string, MethodGroup<E>>();

  add(entry: E): void {
    let group = this.#byMethod.get(entry.method);
    if (group === undefined) {
      group = new MethodGroup<E>(entry.method);
      this.#byMethod.set(entry.method, group);
    }
    group.add(entry);
  }

  /** Takes an entry out, if it is in. */
  remove(entry: E): void {
    const { group } = entry;
    if (group === undefined) return;
    group.remove(entry);
    if (group.size === 0 && !group.isCleared) this.#byMethod.delete(group.method);
  }

  /** Detaches the group of a method, or all of them, as cleared. */
  clear(method?: string): MethodGroup<E>[] {
    const cleared = this.#of(method);
    for (const group of cleared) {
      group.isCleared = true;
      this.#byMethod.delete(group.method);
    }
    return cleared;
  }

  /** The entries of a method, or all: each group's as they are when its first is asked for. */
  *entries(method?: string): IterableIterator<E> {
    for (const group of this.#of(method)) yield* group.entries();
  }

  #of(method: string | undefined): MethodGroup<E>[] {
    if (method === undefined) return [...this.#byMethod.values()];
    const group = this.#byMethod.get(method);
    return group === undefined ? [] : [group];
  }
}
