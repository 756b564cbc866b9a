/** Results that are read while their tool goes on. */

/** Whether a result, or a field of it, may be read bit by bit from a tool that goes on: a generator, a stream, a response. */
export function isUnfinished(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return false;
  try {
    return isReadBitByBit(result) || Object.values(result).some(isReadBitByBit);
  } catch {
    // It can't be looked at.
    return true;
  }
}

function isReadBitByBit(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Symbol.asyncIterator in value) return true;
  const { next, pipe, getReader, body } = value as Readonly<Record<string, unknown>>;
  if ([next, pipe, getReader].some((each) => typeof each === 'function')) return true;
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}
