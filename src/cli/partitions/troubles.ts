/** What went wrong with single files or entries while a command went on: told at once, and counted. */

import { formatCount, printable } from '../format.js';

/** How many are told one by one. */
const mostTold = 10;

export class Troubles {
  readonly #stream: NodeJS.WritableStream;
  #count = 0;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  get count(): number {
    return this.#count;
  }

  readonly note = (error: unknown): void => {
    this.#count += 1;
    if (this.#count <= mostTold) this.#stream.write(`toolstash: ${printable(messageOf(error))}\n`);
  };

  /** Tells how many there were beyond those told one by one. */
  end(): void {
    const untold = this.#count - mostTold;
    if (untold > 0) this.#stream.write(`toolstash: and ${formatCount(untold)} more like these\n`);
  }
}

/** An error in one sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
