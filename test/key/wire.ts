/** The wire format of `python_key.py`: numbers as text and objects as lists of pairs, so that nothing is lost. */

export type Wire =
  | null
  | boolean
  | string
  | readonly Wire[]
  | { readonly int: string }
  | { readonly float: string }
  | { readonly object: readonly (readonly [string, Wire])[] };

/** How integers come out: as numbers where a number holds them exactly, or as BigInts. */
export type IntegerKind = 'number' | 'bigint';

export function decodeWire(wire: Wire, integers: IntegerKind = 'number'): unknown {
  if (typeof wire !== 'object' || wire === null) return wire;
  if ('int' in wire) {
    return integers === 'number' && holdsInteger(wire.int) ? Number(wire.int) : BigInt(wire.int);
  }
  if ('float' in wire) return Number(wire.float.replace('inf', 'Infinity'));
  if ('object' in wire) {
    // fromEntries defines fields, so a `__proto__` key stays a key.
    return Object.fromEntries(wire.object.map(([key, field]) => [key, decodeWire(field, integers)]));
  }
  return wire.map((element) => decodeWire(element, integers));
}

/** Whether a number holds this integer exactly. */
export function holdsInteger(digits: string): boolean {
  return BigInt(Number(digits)) === BigInt(digits);
}

/** Encodes a JSON-like value; integral numbers as integers, since JavaScript can't tell `1.0` from `1`. */
export function encodeWire(value: unknown): Wire {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return { int: `${value}` };
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return { float: '-0.0' };
    return Number.isInteger(value) ? { int: `${BigInt(value)}` } : { float: `${value}` };
  }
  if (Array.isArray(value)) return value.map(encodeWire);
  return { object: Object.entries(value as object).map(([key, field]) => [key, encodeWire(field)] as const) };
}
