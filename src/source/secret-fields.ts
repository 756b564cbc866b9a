/** Fields of records that are stored encrypted: AES-256-GCM, with the id of its key beside each, bound to its record and name. */

import { InvalidOptionError, UnstorableValueError } from '../errors.js';
import { nodeCrypto } from '../node-crypto.js';
import { objectOf, refuseUnknown, text } from '../option-checks.js';
import { createValueCodec } from '../value/codec.js';

/** Which fields are secret, and what they are encrypted with. */
export interface SecretFields {
  /**
   * The names of the fields, of the record itself. A record that is no plain object, has hidden fields or getters,
   * or holds in these what can't be stored (functions, instances of classes), is loaded each time.
   */
  readonly fields: readonly string[];
  /**
   * Keys of 32 bytes by their ids. Those besides the current one are for what was stored before: to rotate, add a key, make
   * it the current one, and leave the old one out when its entries are gone. What no key fits is loaded anew.
   */
  readonly keys: Readonly<Record<string, Uint8Array>>;
  /** The id of the key that new entries are encrypted with. */
  readonly current: string;
}

/** What a secret field is in the cache. */
interface Sealed {
  readonly keyId: string;
  /** Nonce, tag and text, one after another. */
  readonly bytes: Uint8Array;
}

/** A record in the cache, its secret fields apart. */
export interface SealedRecord {
  readonly open: unknown;
  readonly sealed: Readonly<Record<string, Sealed>>;
}

const nonceLength = 12;
const tagLength = 16;
const codec = createValueCodec();

/** Seals and opens the secret fields of records. */
export class SecretBox {
  readonly #fields: readonly string[];
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #current: string;

  /** @throws InvalidOptionError, which shows no key */
  constructor(secrets: SecretFields) {
    refuseUnknown(objectOf(secrets, 'secrets'), ['fields', 'keys', 'current'], {
      of: 'secrets',
      noun: 'field',
    });
    const { fields, keys, current } = secrets;
    const isName = (name: unknown) => typeof name === 'string' && name !== '';
    if (!Array.isArray(fields) || fields.length === 0 || !fields.every(isName)) {
      throw new InvalidOptionError('Expected `secrets.fields` to be a list of names');
    }
    for (const [id, key] of Object.entries(objectOf(keys, 'secrets.keys'))) {
      if (!(key instanceof Uint8Array) || key.byteLength !== 32) {
        throw new InvalidOptionError(
          `Expected \`secrets.keys.${id}\` to be 32 bytes (not shown), as \`randomBytes(32)\` of node:crypto gives them`,
        );
      }
    }
    if (!Object.hasOwn(keys, text(current, 'secrets.current'))) {
      throw new InvalidOptionError(
        `Expected \`secrets.current\` to name one of \`secrets.keys\`, got \`'${current}'\``,
      );
    }
    this.#fields = [...new Set(fields)];
    this.#keys = new Map(Object.entries(keys).map(([id, key]) => [id, Uint8Array.from(key)]));
    this.#current = current;
  }

  /**
   * A record with its secret fields encrypted; `undefined` for one that could not be made again from that, or would have
   * them in clear. What is no object, or a list, has none.
   */
  seal(record: unknown, place: string): SealedRecord | undefined {
    if (typeof record !== 'object' || record === null) return { open: record, sealed: {} };
    const present = this.#fields.filter((name) => has(record, name));
    if (present.length === 0) return { open: record, sealed: {} };
    const prototype: unknown = Object.getPrototypeOf(record);
    if ((prototype !== Object.prototype && prototype !== null) || !isCopied(record)) return undefined;
    const open: Record<string, unknown> = { ...record };
    const sealed: Record<string, Sealed> = {};
    try {
      for (const name of present) {
        sealed[name] = this.#encrypt(codec.encode(open[name]), `${place}\n${name}`);
        delete open[name];
      }
    } catch (error) {
      if (error instanceof UnstorableValueError) return undefined;
      throw error;
    }
    return { open, sealed };
  }

  /** The record. @throws Error where a key is missing, or something was changed */
  open({ open, sealed }: SealedRecord, place: string): unknown {
    const names = Object.keys(sealed);
    if (typeof open === 'object' && open !== null && this.#fields.some((name) => Object.hasOwn(open, name)))
      throw new Error('It was stored before all its secret fields were named');
    if (names.length === 0) return open;
    const record = { ...(open as object) } as Record<string, unknown>;
    for (const name of names)
      record[name] = codec.decode(this.#decrypt(sealed[name] as Sealed, `${place}\n${name}`));
    return record;
  }

  #encrypt(plain: Uint8Array, place: string): Sealed {
    const { createCipheriv, randomBytes } = nodeCrypto();
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(this.#current), nonce);
    cipher.setAAD(Buffer.from(place));
    const encrypted = [cipher.update(plain), cipher.final()];
    return {
      keyId: this.#current,
      bytes: Uint8Array.from(Buffer.concat([nonce, cipher.getAuthTag(), ...encrypted])),
    };
  }

  #decrypt({ keyId, bytes }: Sealed, place: string): Uint8Array {
    const nonce = bytes.subarray(0, nonceLength);
    const decipher = nodeCrypto().createDecipheriv('aes-256-gcm', this.#keyOf(keyId), nonce, {
      authTagLength: tagLength,
    });
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
    return Buffer.concat([decipher.update(bytes.subarray(nonceLength + tagLength)), decipher.final()]);
  }

  #keyOf(id: string): Uint8Array {
    const key = this.#keys.get(id);
    if (key === undefined) throw new Error(`No key \`${id}\``);
    return key;
  }
}

/** Also by a getter of its class, or as a Map has it. */
function has(record: object, name: string): boolean {
  return Array.isArray(record) ? false : name in record || (record instanceof Map && record.has(name));
}

/** Whether a copy has all fields as they are: hidden ones it has not, and a getter may fail. */
function isCopied(record: object): boolean {
  return Object.values(Object.getOwnPropertyDescriptors(record)).every(
    (field) => field.enumerable === true && 'value' in field,
  );
}

/** Whether a value of the cache is a sealed record. */
export function isSealed(value: unknown): value is SealedRecord {
  return typeof value === 'object' && value !== null && 'open' in value && 'sealed' in value;
}
