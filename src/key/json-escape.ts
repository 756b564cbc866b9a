/** JSON strings in printable ASCII as bytes: six of them for each UTF-16 unit that ASCII can't say. */

/** Takes bytes that are good until it returns. */
export type TakeBytes = (bytes: Buffer) => void;

interface Escaper {
  escapeString(value: string): string;
  escapeInPieces(parts: readonly string[], take: TakeBytes): void;
}

export const { escapeString, escapeInPieces } = makeEscaper();

/**
 * In one function with its tables: what a bundler makes of a module's constants are variables, which V8 reads anew for
 * each unit; here it knows them to stay, which halves the time.
 */
function makeEscaper(): Escaper {
  const quote = 0x22;
  const backslash = 0x5c;
  /** `\u`, as a little-endian word. */
  const escapeStart = 0x755c;
  /** The letter behind the backslash by ASCII code, 0 where the character needs none. */
  const letters = new Uint8Array(0x80);
  for (const [character, letter] of ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt'] as Iterable<string>) {
    letters[(character as string).charCodeAt(0)] = (letter as string).charCodeAt(0);
  }
  /** The two hexadecimal digits of each byte, as little-endian words. */
  const digits = Uint16Array.from({ length: 256 }, (_, byte) => {
    const text = byte.toString(16).padStart(2, '0');
    return text.charCodeAt(0) | (text.charCodeAt(1) << 8);
  });

  /** Bytes that are made at once. A unit becomes up to six. */
  const made = Buffer.alloc(48 * 1024);
  const mostUnits = made.length / 6;
  /** The units that are made bytes of: two bytes each, little-endian. */
  const units = Buffer.alloc(2 * mostUnits);
  const [madeView, unitsView] = [viewOf(made), viewOf(units)];

  return { escapeString, escapeInPieces };

  function escapeString(value: string): string {
    // Through bytes: one string for each escape would take 50 times the text's memory and time.
    if (value.length <= mostUnits) return `"${made.toString('latin1', 0, escapePart(value, 0))}"`;
    let text = '';
    escapeInPieces(['', value], (bytes) => {
      text += bytes.toString('latin1');
    });
    return text;
  }

  function escapeInPieces(parts: readonly string[], take: TakeBytes): void {
    let size = 0;
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string;
      const isString = index % 2 === 1;
      const mostEach = isString ? 6 : 1;
      if (isString) made[size++] = quote;
      for (let start = 0; start < part.length; ) {
        const end = Math.min(start + Math.floor((made.length - 2 - size) / mostEach), part.length);
        const piece = part.slice(start, end);
        size = isString ? escapePart(piece, size) : writeAscii(piece, size);
        start = end;
        if (start < part.length) size = give(take, size);
      }
      if (isString) made[size++] = quote;
      if (size > made.length - 16) size = give(take, size);
    }
    give(take, size);
  }

  function give(take: TakeBytes, size: number): 0 {
    take(made.subarray(0, size));
    return 0;
  }

  /** Writes at most `mostUnits` units from `at` on; returns where they end. */
  function escapePart(part: string, at: number): number {
    const end = units.write(part, 0, 'utf16le');
    let size = at;
    let next = 0;
    for (; next + 4 <= end; next += 4) {
      const pair = unitsView.getUint32(next, true);
      if ((pair & 0xffff) < 0x7f || pair >>> 16 < 0x7f) {
        size = writeUnit(pair >>> 16, writeUnit(pair & 0xffff, size));
        continue;
      }
      // Both are written at once, by half as many writes.
      madeView.setUint32(size, escapeStart | (digits[(pair >> 8) & 0xff]! << 16), true);
      madeView.setUint32(size + 4, digits[pair & 0xff]! | (escapeStart << 16), true);
      madeView.setUint32(size + 8, digits[pair >>> 24]! | (digits[(pair >> 16) & 0xff]! << 16), true);
      size += 12;
    }
    return next < end ? writeUnit(unitsView.getUint16(next, true), size) : size;
  }

  function writeUnit(unit: number, at: number): number {
    const letter = unit < 0x7f ? (letters[unit] as number) : 0;
    if (letter !== 0) {
      made[at] = backslash;
      made[at + 1] = letter;
      return at + 2;
    }
    if (unit >= 0x20 && unit < 0x7f) {
      made[at] = unit;
      return at + 1;
    }
    madeView.setUint16(at, escapeStart, true);
    madeView.setUint16(at + 2, digits[unit >> 8] as number, true);
    madeView.setUint16(at + 4, digits[unit & 0xff] as number, true);
    return at + 6;
  }

  function writeAscii(piece: string, at: number): number {
    if (piece.length > 64) return at + made.write(piece, at, 'latin1');
    for (let index = 0; index < piece.length; index++) made[at + index] = piece.charCodeAt(index);
    return at + piece.length;
  }

  function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
    return new DataView(buffer, byteOffset, length);
  }
}
