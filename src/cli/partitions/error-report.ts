/** Errors about single files or entries while a command goes on: collected, and printed at its end. */

import { messageOf } from '../../errors.js';
import { formatCount, printable } from '../../report/format.js';

/** How many are printed one by one. */
const mostPrinted = 10;

export class ErrorReport {
  readonly #sentences = new Set<string>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  readonly note = (error: unknown): void => {
    const sentence = printable(messageOf(error));
    if (this.#sentences.has(sentence)) return;
    this.#count += 1;
    if (this.#sentences.size < mostPrinted) this.#sentences.add(sentence);
  };

  /** One a line. */
  print(stream: NodeJS.WritableStream): void {
    for (const sentence of this.#sentences) stream.write(`toolstash: ${sentence}\n`);
    const more = this.#count - this.#sentences.size;
    if (more > 0) stream.write(`toolstash: and ${formatCount(more)} more like these\n`);
  }
}
