/** Short ASCII strings read from bytes: keys and words that come again and again are made once and shared. */

const maxLength = 24;
const slots = 2048;

/** Up to this length, putting a string together here beats calling into the runtime. */
const maxBuilt = 12;

/** A cache of strings by their bytes. A string enters it when it turns up for the second time in a row in its slot. */
export class ShortStrings {
  readonly #hashes = new Int32Array(slots);
  readonly #texts: string[] = new Array(slots).fill('');

  /** The string of these bytes, or undefined if it is long or not ASCII. */
  read(bytes: Buffer, start: number, length: number): string | undefined {
    if (length > maxLength) return undefined;
    if (length === 0) return '';
    // By its ends: what is known is compared as a whole, and need not be hashed as a whole before.
    const last = start + length - 1;
    const ends = (bytes[start]! << 8) ^ (bytes[last]! << 3) ^ bytes[(start + last) >> 1]!;
    const slot = (ends ^ (length << 6)) & (slots - 1);
    const known = this.#texts[slot]!;
    if (known.length !== length) return this.#made(bytes, start, length, slot);
    for (let index = 0; index < length; index += 1)
      if (known.charCodeAt(index) !== bytes[start + index]) return this.#made(bytes, start, length, slot);
    return known;
  }

  #made(bytes: Buffer, start: number, length: number, slot: number): string | undefined {
    let hash = length;
    let bits = 0;
    for (let at = start; at < start + length; at += 1) {
      const byte = bytes[at]!;
      hash = (Math.imul(hash, 31) + byte) | 0;
      bits |= byte;
    }
    if (bits >= 0x80) return undefined;
    const text =
      length > maxBuilt ? bytes.toString('latin1', start, start + length) : build(bytes, start, length);
    if (this.#hashes[slot] === hash) this.#texts[slot] = asName(text);
    this.#hashes[slot] = hash;
    return text;
  }
}

/** The same text as V8 holds the names of fields: what sets a field of that name need not look for it. */
function asName(text: string): string {
  return Object.keys({ [text]: undefined })[0]!;
}

/** In as few steps as may be, each of which makes a string. */
function build(bytes: Buffer, start: number, length: number): string {
  let text = '';
  let at = start;
  const end = start + length;
  if (at + 8 <= end) {
    text = String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    );
    at += 8;
  }
  if (at + 4 <= end) {
    text += String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
    at += 4;
  }
  if (end - at === 3) return text + String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!);
  if (end - at === 2) return text + String.fromCharCode(bytes[at]!, bytes[at + 1]!);
  return end - at === 1 ? text + String.fromCharCode(bytes[at]!) : text;
}
