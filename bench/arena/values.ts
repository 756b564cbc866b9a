/** Values of 1 KB, each unlike all others, and what is needed to tell whether one is right. */

/** Bytes of a value. */
export const valueBytes = 1_000;

const digits = 12;
const letters = Buffer.from('otters and badgers sleep by day, 24 of them in a holt, '.repeat(20));

/** The text of a number, in memory of its own as what comes from a network is. */
export function textOf(number: number): string {
  letters.write(String(number).padStart(digits, '0'), 0, 'latin1');
  return letters.toString('latin1', 0, valueBytes);
}

/** Whether a text is that of a number, as far as can be told at a glance. */
export function isTextOf(text: string | undefined, number: number): boolean {
  return text?.length === valueBytes && Number(text.slice(0, digits)) === number;
}

/** A record of the kind that tools return, of about 1 KB of msgpack. */
export interface Page {
  readonly id: number;
  readonly rows: readonly { readonly id: number; readonly title: string; readonly score: number }[];
}

export function pageOf(number: number): Page {
  const rows = Array.from({ length: 18 }, (_, row) => ({
    id: number * 20 + row,
    title: `Result ${number}.${row} of a search`,
    score: row / 7,
  }));
  return { id: number, rows };
}

/** The bytes of a number. */
export function bytesOf(number: number): Buffer {
  return Buffer.from(textOf(number), 'latin1');
}
