/** Keys as the arena has them: MD5 as four words. */

/** An MD5 key as four words. */
export type KeyWords = Int32Array;

/** Reads 32 hex digits. By `Buffer.write` it would take twice as long. */
export function readKey(key: string, words: KeyWords): void {
  for (let word = 0; word < 4; word += 1) {
    const at = word * 8;
    words[word] =
      byteAt(key, at) |
      (byteAt(key, at + 2) << 8) |
      (byteAt(key, at + 4) << 16) |
      (byteAt(key, at + 6) << 24);
  }
}

function byteAt(key: string, at: number): number {
  return (digit(key.charCodeAt(at)) << 4) | digit(key.charCodeAt(at + 1));
}

/** Letters lie 0x40 or 0x60 above their last four bits, and begin at 1. */
function digit(code: number): number {
  return (code & 15) + (code >> 6) * 9;
}
