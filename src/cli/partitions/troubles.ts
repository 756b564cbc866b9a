/** What went wrong with single files or entries while a command went on: collected, and told at its end. */

import { formatCount, printable } from '../format.js';

/** How many are told one by one. */
const mostTold = 10;

export class Troubles {
  readonly #sentences = new Set<string>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  readonly note = (error: unknown): void => {
    const sentence = printable(messageOf(error));
    if (this.#sentences.has(sentence)) return;
    this.#count += 1;
    if (this.#sentences.size < mostTold) this.#sentences.add(sentence);
  };

  /** Tells them, one a line. */
  tell(stream: NodeJS.WritableStream): void {
    for (const sentence of this.#sentences) stream.write(`toolstash: ${sentence}\n`);
    const untold = this.#count - this.#sentences.size;
    if (untold > 0) stream.write(`toolstash: and ${formatCount(untold)} more like these\n`);
  }
}

/** An error in one sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
