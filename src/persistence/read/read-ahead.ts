/** Reads members of one file in its order: where they are small, many with one reading. */

import { type OpenFile, readFully } from '../file-system.js';

const windowBytes = 256 * 1024;

export class ReadAhead {
  readonly #file: OpenFile;
  /** What may be read of the file. */
  readonly #end: number;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);
  /** Read to again and again. */
  readonly #room = Buffer.allocUnsafeSlow(windowBytes);

  constructor(file: OpenFile, end: number) {
    this.#file = file;
    this.#end = end;
  }

  /** The bytes at a place, good until the next reading; fails where the file has fewer. */
  async read(length: number, position: number): Promise<Buffer> {
    const near = this.at(length, position);
    if (near !== undefined) return near;
    const wanted = Math.max(length, Math.min(windowBytes, this.#end - position));
    this.#bytes = await readFully(this.#file, wanted, position, this.#room);
    this.#start = position;
    return this.#bytes.subarray(0, length);
  }

  /** The same where they were read ahead. */
  at(length: number, position: number): Buffer | undefined {
    const at = position - this.#start;
    return at < 0 || at + length > this.#bytes.length ? undefined : this.#bytes.subarray(at, at + length);
  }
}
