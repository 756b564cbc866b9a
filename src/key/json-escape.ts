/** JSON in printable ASCII as bytes: six of them for each UTF-16 unit that ASCII can't say. */

/** Takes bytes that are good until it returns. */
export type TakeBytes = (bytes: Buffer) => void;

interface Escaper {
  readonly mostUnits: number;
  escapedString(value: string): string;
  escapeInPieces(parts: readonly string[], take: TakeBytes): void;
  escapedText(parts: readonly string[]): string;
}

/**
 * Of `parts`, by turns JSON that lacks but the escapes of units beyond ASCII, and strings whose JSON is wanted: at
 * least one, and one string fewer than others.
 */
export const { mostUnits, escapedString, escapeInPieces, escapedText } = makeEscaper();

/**
 * In one function with its tables: what a bundler makes of a module's constants are variables, which V8 reads anew for
 * each unit; here it knows them to stay, which halves the time.
 */
function makeEscaper(): Escaper {
  const quote = 0x22;
  const backslash = 0x5c;
  /** The letter before four digits. */
  const unicode = 0x75;
  /** `\u`, as a little-endian word. */
  const escapeStart = 0x755c;
  /** The two hexadecimal digits of each byte, as little-endian words. */
  const digits = Uint16Array.from({ length: 256 }, (_, byte) => {
    const text = byte.toString(16).padStart(2, '0');
    return text.charCodeAt(0) | (text.charCodeAt(1) << 8);
  });

  /** By ASCII code: what follows the backslash in a string, 0 where none is needed. */
  const letters = new Uint8Array(0x80).fill(unicode, 0, 0x20);
  for (const [character, letter] of ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt'] as Iterable<string>) {
    letters[(character as string).charCodeAt(0)] = (letter as string).charCodeAt(0);
  }
  /** Outside of strings, and in those that have their backslashes. */
  const noLetters = new Uint8Array(0x80);

  /** Units that are escaped at once. Each becomes up to six bytes. */
  const mostUnits = 8192;
  const made = Buffer.alloc(6 * mostUnits + 2);
  /** The units that are made bytes of: two bytes each, little-endian. */
  const units = Buffer.alloc(2 * mostUnits);
  const [madeView, unitsView] = [viewOf(made), viewOf(units)];

  return { mostUnits, escapedString, escapeInPieces, escapedText };

  /** The JSON string of at most `mostUnits` units. */
  function escapedString(value: string): string {
    made[0] = quote;
    const end = escapePiece(value, 1, letters);
    made[end] = quote;
    return made.toString('latin1', 0, end + 1);
  }

  function escapeInPieces(parts: readonly string[], take: TakeBytes): void {
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string;
      const isString = index % 2 === 1;
      for (let start = 0; start < part.length; start += mostUnits) {
        let size = 0;
        if (isString && start === 0) made[size++] = quote;
        size = escapePiece(part.slice(start, start + mostUnits), size, isString ? letters : noLetters);
        if (isString && start + mostUnits >= part.length) made[size++] = quote;
        take(made.subarray(0, size));
      }
    }
  }

  /** Through bytes, since one string for each escape would take 50 times the text's memory and time. */
  function escapedText(parts: readonly string[]): string {
    let escaped = '';
    escapeInPieces(parts, (bytes) => {
      escaped += bytes.toString('latin1');
    });
    return escaped;
  }

  /** Writes at most `mostUnits` units from `at` on; returns where they end. */
  function escapePiece(piece: string, at: number, escapes: Uint8Array): number {
    const end = units.write(piece, 0, 'utf16le');
    let size = at;
    let next = 0;
    // Two at a time, by half as many writes.
    for (; next + 4 <= end; next += 4) {
      const pair = unitsView.getUint32(next, true);
      if ((pair & 0xffff) < 0x7f || pair >>> 16 < 0x7f) {
        size = writeUnit(pair >>> 16, writeUnit(pair & 0xffff, size, escapes), escapes);
        continue;
      }
      madeView.setUint32(size, escapeStart | (digits[(pair >> 8) & 0xff]! << 16), true);
      madeView.setUint32(size + 4, digits[pair & 0xff]! | (escapeStart << 16), true);
      madeView.setUint32(size + 8, digits[pair >>> 24]! | (digits[(pair >> 16) & 0xff]! << 16), true);
      size += 12;
    }
    return next < end ? writeUnit(unitsView.getUint16(next, true), size, escapes) : size;
  }

  function writeUnit(unit: number, at: number, escapes: Uint8Array): number {
    const letter = unit < 0x7f ? (escapes[unit] as number) : unicode;
    if (letter === 0) {
      made[at] = unit;
      return at + 1;
    }
    if (letter !== unicode) {
      made[at] = backslash;
      made[at + 1] = letter;
      return at + 2;
    }
    madeView.setUint16(at, escapeStart, true);
    madeView.setUint16(at + 2, digits[unit >> 8] as number, true);
    madeView.setUint16(at + 4, digits[unit & 0xff] as number, true);
    return at + 6;
  }

  function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
    return new DataView(buffer, byteOffset, length);
  }
}
