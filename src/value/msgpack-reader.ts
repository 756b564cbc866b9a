/** Reads one msgpack value with msgpackr, set up so that nothing is shared with the source or changed on the way. */

import { clearSource, type Options, Unpackr } from 'msgpackr';

const options = {
  useRecords: false,
  structuredClone: false,
  // Bytes as copies: else a few of them would keep their whole source in memory.
  copyBuffers: true,
  // 64-bit integers as numbers where a number can hold them, else as BigInts. Documented, but not in the types.
  int64AsType: 'auto' as unknown as 'number',
} satisfies Options;

const fast = new Unpackr({ ...options, mapsAsObjects: true });

/** For values in which `__proto__` occurs: as a key of an object, msgpackr would rename it. */
const careful = new Unpackr({ ...options, mapsAsObjects: false });

const protoName = Buffer.from('__proto__');

/** Sources up to this size are copied here, which is cheaper than the views that msgpackr would make of each. */
const scratch = Buffer.allocUnsafeSlow(2 ** 16);

/** The one value that `bytes` hold from `start` to their end. Throws anything when they don't. */
export function readMsgpack(bytes: Uint8Array, start = 0): unknown {
  if (Buffer.prototype.indexOf.call(bytes, protoName) !== -1) return toObjects(read(careful, bytes, start));
  return read(fast, bytes, start);
}

function read(unpackr: Unpackr, bytes: Uint8Array, start: number): unknown {
  try {
    return unpack(unpackr, bytes, start);
  } catch (error) {
    // A stack that overflows at the wrong moment leaves msgpackr, in this whole process, in the midst of a value.
    if (error instanceof RangeError) clearSource();
    throw error;
  }
}

function unpack(unpackr: Unpackr, bytes: Uint8Array, start: number): unknown {
  const length = bytes.length - start;
  if (length > scratch.length) {
    return unpackr.unpack(Buffer.from(bytes.buffer, bytes.byteOffset + start, length));
  }
  scratch.set(start === 0 ? bytes : bytes.subarray(start));
  return unpackr.unpack(scratch, length);
}

/** Turns the Maps that `careful` makes into the objects that `fast` would have made. */
function toObjects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toObjects);
  if (!(value instanceof Map)) return value;
  const object = {};
  for (const [key, item] of value) {
    if (typeof key === 'object' && key !== null) throw new TypeError('Expected map keys to be strings');
    Object.defineProperty(object, String(key), {
      value: toObjects(item),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}
