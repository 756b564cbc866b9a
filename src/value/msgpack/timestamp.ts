/** Timestamps of msgpack, which other programs may write. */

/** The ext type of timestamps, the only one that msgpack itself defines. */
export const timestampType = -1;

/** The timestamp whose `size` bytes begin at `at`. */
export function timestampAt(view: DataView, size: number, at: number): Date {
  if (size === 4) return new Date(view.getUint32(at) * 1000);
  if (size === 8) {
    const high = view.getUint32(at);
    const seconds = (high & 3) * 2 ** 32 + view.getUint32(at + 4);
    return new Date(seconds * 1000 + (high >>> 2) / 1e6);
  }
  if (size !== 12) throw new RangeError(`Expected a timestamp of 4, 8 or 12 bytes, got ${size}`);
  return new Date(Number(view.getBigInt64(at + 4)) * 1000 + view.getUint32(at) / 1e6);
}
