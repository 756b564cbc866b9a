/** Short ASCII strings read from bytes: keys and words that come again and again are made once and shared. */

const maxLength = 24;
const slots = 2048;

/** Up to this length, putting a string together here beats calling into the runtime. */
const maxBuilt = 12;

/** A cache of strings by their bytes. A string enters it when it turns up for the second time in a row in its slot. */
export class ShortStrings {
  readonly #hashes = new Int32Array(slots);
  readonly #texts: (string | undefined)[] = new Array(slots).fill(undefined);

  /** The string of these bytes, or undefined if it is long or not ASCII. */
  read(bytes: Buffer, start: number, length: number): string | undefined {
    if (length > maxLength) return undefined;
    if (length === 0) return '';
    let hash = length;
    let bits = 0;
    for (let at = start; at < start + length; at += 1) {
      const byte = bytes[at] as number;
      hash = (Math.imul(hash, 31) + byte) | 0;
      bits |= byte;
    }
    if (bits >= 0x80) return undefined;
    const slot = (hash ^ (hash >>> 11)) & (slots - 1);
    const known = this.#texts[slot];
    if (known !== undefined && known.length === length && isAt(known, bytes, start)) return known;
    const text =
      length > maxBuilt ? bytes.toString('latin1', start, start + length) : build(bytes, start, length);
    if (this.#hashes[slot] === hash) this.#texts[slot] = text;
    this.#hashes[slot] = hash;
    return text;
  }
}

function isAt(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}

function build(bytes: Buffer, start: number, length: number): string {
  let text = '';
  let at = start;
  const end = start + length;
  for (; at + 4 <= end; at += 4) {
    text += String.fromCharCode(
      bytes[at] as number,
      bytes[at + 1] as number,
      bytes[at + 2] as number,
      bytes[at + 3] as number,
    );
  }
  for (; at < end; at += 1) text += String.fromCharCode(bytes[at] as number);
  return text;
}
