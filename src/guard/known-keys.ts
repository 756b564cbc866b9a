/** The contract of known keys: what stands between a flood of calls for things that don't exist and their source. */

/** A set of keys that may take an unknown key for a known one, but never a known one for unknown. */
export interface KnownKeys {
  /** Keys added, as far as it can tell them apart. */
  readonly size: number;
  /** Up to how many keys it keeps what it promises. */
  readonly capacity: number;
  /** Adds a key: 32 lower-case hex digits. */
  add(key: string): void;
  /** `false`: this key was surely never added. `true`: it probably was. */
  mayHave(key: string): boolean;
}
