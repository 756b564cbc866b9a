/** Reads of one tick as one command: a GET alone, several as MGETs. */

import type { LookupOutcome } from '../tier.js';

/** More keys would make others wait for the answer to one command. */
const maxKeys = 128;

/** What reads are made with. */
export interface RedisReadsInit {
  /** Asks for some keys, within the deadline, and tells what lies under them, in their order, or why that is not known. */
  readonly send: (
    keys: readonly string[],
    found: (values: readonly (Buffer | null)[]) => void,
    failed: (error: unknown) => void,
  ) => void;
  /** What lies under a key. Never throws. */
  readonly decode: (bytes: Buffer | null, key: string, method: string) => LookupOutcome;
  /** There was no answer about these keys. */
  readonly onFailure: (keys: readonly string[], error: unknown) => void;
}

/** Keys that somebody waits for together. */
interface Read {
  readonly keys: readonly string[];
  readonly method: string;
  readonly outcomes: LookupOutcome[];
  left: number;
  readonly resolve: (outcomes: readonly LookupOutcome[]) => void;
}

/** A part of a read, as much of it as goes into one command. */
interface Part {
  readonly read: Read;
  readonly from: number;
  readonly to: number;
}

export class RedisReads {
  readonly #init: RedisReadsInit;
  #waiting: Read[] = [];

  constructor(init: RedisReadsInit) {
    this.#init = init;
  }

  /** What lies under some keys. Never rejects. */
  read(keys: readonly string[], method: string): Promise<readonly LookupOutcome[]> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
      this.#waiting.push({ keys, method, outcomes: [], left: keys.length, resolve });
    });
  }

  #flush(): void {
    let parts: Part[] = [];
    let keys: string[] = [];
    const reads = this.#waiting;
    this.#waiting = [];
    for (const read of reads) {
      for (let from = 0; from < read.keys.length; ) {
        const to = Math.min(read.keys.length, from + maxKeys - keys.length);
        parts.push({ read, from, to });
        for (let at = from; at < to; at += 1) keys.push(read.keys[at]!);
        from = to;
        if (keys.length < maxKeys) continue;
        this.#ask(keys, parts);
        [keys, parts] = [[], []];
      }
    }
    if (keys.length > 0) this.#ask(keys, parts);
  }

  #ask(keys: readonly string[], parts: readonly Part[]): void {
    const { send, decode, onFailure } = this.#init;
    send(
      keys,
      (found) => {
        let place = 0;
        settle(parts, (key, method) => decode(found[place++] ?? null, key, method));
      },
      (failure: unknown) => {
        onFailure(keys, failure);
        settle(parts, () => ({ failure }));
      },
    );
  }
}

/** @param outcomeOf is asked for each key, in their order */
function settle(parts: readonly Part[], outcomeOf: (key: string, method: string) => LookupOutcome): void {
  for (const { read, from, to } of parts) {
    for (let at = from; at < to; at += 1) read.outcomes[at] = outcomeOf(read.keys[at]!, read.method);
    read.left -= to - from;
    if (read.left === 0) read.resolve(read.outcomes);
  }
}
