/** Strings with memory of their own: V8's slices keep the whole string in memory that they were cut from. */

const notLatin1 = /[^\0-\xff]/;

/** Whether each character fits a byte. */
export function isLatin1(text: string): boolean {
  return !notLatin1.test(text);
}

/** Shorter strings are never slices. */
const shortestSlice = 13;

/** The same text in memory of its own. */
export function ownString(text: string): string {
  if (text.length < shortestSlice) return text;
  const encoding = isLatin1(text) ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}
