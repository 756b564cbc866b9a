/**
 * Plain msgpack whose long texts are held apart, as strings: a string can't be changed, so that every caller can have the
 * same, and only the shell around it needs to be decoded anew.
 */

import { stringBytes } from './heap-size.js';
import { readMsgpack, shortestApart } from './msgpack/reader.js';
import { readMsgpackInSlices } from './msgpack/sliced-reading.js';

/** The first bytes of texts that are as long. */
const [text16, text32] = [0xda, 0xdb];

/** A value without its long texts, and those. */
export class SplitText {
  /** The msgpack of the value, where long texts are left out behind their heads, which tell their length. */
  readonly #shell: Buffer;
  /** Where they are left out. */
  readonly #places: readonly number[];
  readonly #texts: readonly string[];

  private constructor(shell: Buffer, places: readonly number[], texts: readonly string[]) {
    this.#shell = shell;
    this.#places = places;
    this.#texts = texts;
  }

  /** Holds the long texts of one complete msgpack value apart; `undefined` where it has none, or is no plain msgpack. */
  static of(encoded: Uint8Array): SplitText | undefined {
    if (encoded.byteLength < shortestApart) return undefined;
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    // Most values of many small parts are told by this alone.
    if (!bytes.includes(text16) && !bytes.includes(text32)) return undefined;
    const pieces: Buffer[] = [];
    const places: number[] = [];
    const texts: string[] = [];
    let [start, length] = [0, 0];
    for (let at = 0; at < bytes.length; ) {
      const { next, text } = tokenAt(bytes, at);
      if (next === undefined) return undefined;
      at = next;
      if (text === 0) continue;
      pieces.push(bytes.subarray(start, at - text));
      length += at - text - start;
      places.push(length);
      texts.push(bytes.toString('utf8', at - text, at));
      start = at;
    }
    if (texts.length === 0) return undefined;
    pieces.push(bytes.subarray(start));
    // Memory of its own, as small Buffers share Node's pool.
    const shell = Buffer.allocUnsafeSlow(length + bytes.length - start);
    let at = 0;
    for (const piece of pieces) at += piece.copy(shell, at);
    return new SplitText(shell, places, texts);
  }

  /** Bytes to decode for each copy. */
  get shellBytes(): number {
    return this.#shell.length;
  }

  /** Bytes that shell and texts take, besides what a Buffer does. */
  get bytes(): number {
    return this.#texts.reduce((sum, text) => sum + 16 + stringBytes(text), this.#shell.length);
  }

  /** The value; all of it but its long texts is nobody else's. */
  decode(): unknown {
    return readMsgpack(this.#shell, 0, this.#texts);
  }

  /** `decode` in slices; `check` throws where the value is not wanted any more. */
  decodeInSlices(check: () => void): Promise<unknown> {
    return readMsgpackInSlices(this.#shell, { texts: this.#texts, check });
  }

  /** The complete msgpack. */
  encoded(): Uint8Array {
    const parts: Buffer[] = [];
    let start = 0;
    for (const [n, place] of this.#places.entries()) {
      parts.push(this.#shell.subarray(start, place), Buffer.from(this.#texts[n]!, 'utf8'));
      start = place;
    }
    return new Uint8Array(Buffer.concat([...parts, this.#shell.subarray(start)]));
  }
}

interface MsgpackToken {
  /** Where the next begins: containers have their contents behind their heads. `undefined`: this is an ext value. */
  readonly next: number | undefined;
  /** How long its text is, if that is to be held apart. */
  readonly text: number;
}

/** Bytes behind the types 0xc0 to 0xdf that are of one size; 0 also for those that begin with a length. */
const fixedSizes = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 2, 4,
];

function tokenAt(bytes: Buffer, at: number): MsgpackToken {
  const type = bytes[at] as number;
  if (type < 0xa0 || type >= 0xe0) return { next: at + 1, text: 0 };
  if (type < 0xc0) return { next: at + 1 + (type & 0x1f), text: 0 };
  const isText = type >= 0xd9 && type <= 0xdb;
  if (!isText && !(type >= 0xc4 && type <= 0xc6)) {
    const isExt = (type >= 0xc7 && type <= 0xc9) || (type >= 0xd4 && type <= 0xd8);
    return { next: isExt ? undefined : at + 1 + (fixedSizes[type - 0xc0] as number), text: 0 };
  }
  const lengthBytes = 1 << (type - (isText ? 0xd9 : 0xc4));
  const length = bytes.readUIntBE(at + 1, lengthBytes);
  return { next: at + 1 + lengthBytes + length, text: isText && length >= shortestApart ? length : 0 };
}
