/** What is under way for keys that may be written or deleted meanwhile, at most one a key that may be joined. */

/** A key of which something is under way that can be overtaken: a load, a read, a decoding. */
export interface Watch {
  readonly key: string;
  readonly method: string;
  /** The key was written, deleted or cleared meanwhile: the result must not be stored. */
  superseded: boolean;
}

/**
 * Holds what is under way in the map's place. A map that grows or shrinks leaves its old table as it was; one that has got
 * into the old generation keeps what it has held, and each table after it, alive until a major collection.
 */
interface Place<W> {
  work: W | undefined;
}

/** For so many keys, and those that are under way, a map is used before another takes its place. */
const mostInMap = 64;

export class KeyedWork<W extends Watch> {
  #joinable = new Map<string, Place<W>>();
  /** Keys that have come to the map. */
  #come = 0;
  readonly #watches = new Set<Watch>();

  /** How many may still be joined. */
  get size(): number {
    return this.#joinable.size;
  }

  /** What is under way for this key and may be joined. */
  find(key: string): W | undefined {
    return this.#joinable.get(key)?.work;
  }

  /** Watches a key until `end` is called. */
  watch(key: string, method: string): Watch & { end(): void } {
    const watch = { key, method, superseded: false, end: () => void this.#watches.delete(watch) };
    this.#watches.add(watch);
    return watch;
  }

  /** The key was written or deleted: what is under way may be awaited by who already does, but not joined or stored. */
  supersede(key: string): void {
    for (const watch of this.#watches) if (watch.key === key) watch.superseded = true;
    const place = this.#joinable.get(key);
    if (place?.work === undefined) return;
    place.work.superseded = true;
    place.work = undefined;
    this.#joinable.delete(key);
  }

  /** Supersedes everything of a method, or all. */
  supersedeAll(method?: string): void {
    for (const watch of this.#watches) {
      if (method === undefined || watch.method === method) watch.superseded = true;
    }
    for (const { work } of this.#joinable.values()) {
      if (work !== undefined && (method === undefined || work.method === method)) this.supersede(work.key);
    }
  }

  /** Nobody may join it any more. */
  retire(work: W): void {
    this.#watches.delete(work);
    const place = this.#joinable.get(work.key);
    if (place?.work !== work) return;
    place.work = undefined;
    this.#joinable.delete(work.key);
  }

  /** From now on it may be joined. */
  protected admit(work: W): void {
    const place = this.#joinable.get(work.key);
    if (place !== undefined) {
      place.work = work;
      return;
    }
    this.#come += 1;
    if (this.#come > mostInMap + this.#joinable.size) {
      // Before it gets old: each collection would copy its tables, ten times what it costs to come and go.
      this.#joinable = new Map(this.#joinable);
      this.#come = 0;
    }
    this.#joinable.set(work.key, { work });
  }

  /** What is written or deleted overtakes it, until it is retired. */
  protected keepWatching(work: W): void {
    this.#watches.add(work);
  }
}
