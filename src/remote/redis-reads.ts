/** Reads of one tick as one command: a GET alone, several as MGETs. */

/** More keys would make others wait for the answer to one command. */
const maxKeys = 64;

interface Read {
  readonly key: string;
  readonly resolve: (bytes: Buffer | null) => void;
  readonly reject: (error: unknown) => void;
}

export class RedisReads {
  readonly #send: (keys: readonly string[]) => Promise<readonly (Buffer | null)[]>;
  #waiting: Read[] = [];

  /** @param send asks for some keys, within the deadline */
  constructor(send: (keys: readonly string[]) => Promise<readonly (Buffer | null)[]>) {
    this.#send = send;
  }

  /** What lies under a key. */
  read(key: string): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
      this.#waiting.push({ key, resolve, reject });
    });
  }

  #flush(): void {
    const reads = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < reads.length; from += maxKeys)
      void this.#ask(reads.slice(from, from + maxKeys));
  }

  async #ask(reads: readonly Read[]): Promise<void> {
    try {
      const found = await this.#send(reads.map(({ key }) => key));
      for (const [at, { resolve }] of reads.entries()) resolve(found[at] ?? null);
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }
}
