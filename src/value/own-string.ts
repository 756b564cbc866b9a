/** Strings with memory of their own: V8's slices keep the whole string in memory that they were cut from. */

const notLatin1 = /[^\0-\xff]/;

/** Shorter strings are never slices. */
const shortestSlice = 13;

/** The same text in memory of its own. */
export function ownString(text: string): string {
  if (text.length < shortestSlice) return text;
  const encoding = notLatin1.test(text) ? 'utf16le' : 'latin1';
  return Buffer.from(text, encoding).toString(encoding);
}
