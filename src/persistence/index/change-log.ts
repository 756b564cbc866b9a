/** Takes note of which keys of an index change. */

/** What taking in members has changed. */
export interface IndexChanges {
  /** Keys that have a newer entry, or one in another place. */
  readonly keys: readonly string[];
  /** Whether more was deleted than the keys tell: a method was cleared, a tag invalidated. */
  readonly hasNewTombstones: boolean;
}

/** At a million entries, their keys alone would take more memory than the index. */
const maxReportedChanges = 10_000;

export class ChangeLog {
  #records: number[] | undefined;
  #hasNewTombstones = false;

  /** Takes note from now on. */
  start(): void {
    this.#records = [];
    this.#hasNewTombstones = false;
  }

  note(record: number): void {
    if (this.#records !== undefined && this.#records.length <= maxReportedChanges) this.#records.push(record);
  }

  noteTombstone(): void {
    this.#hasNewTombstones = true;
  }

  /** What has changed since the start; `everything` when it is too much to be told by keys. Ends with this. */
  take(keyOf: (record: number) => string): IndexChanges | 'everything' {
    const records = this.#records ?? [];
    this.#records = undefined;
    if (records.length > maxReportedChanges) return 'everything';
    return { keys: records.map(keyOf), hasNewTombstones: this.#hasNewTombstones };
  }
}
