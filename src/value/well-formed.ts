/** Whether a string has no lone surrogates, and so survives UTF-8. */

// In Node since 20, in TypeScript's library only from ES2024 on.
const method = (String.prototype as unknown as { isWellFormed(this: string): boolean }).isWellFormed;

export function isWellFormed(text: string): boolean {
  return method.call(text);
}
