/** Codecs for users' own classes, and the checked list of them that a value codec works with. */

import { atOnce } from '../at-once.js';
import { InvalidOptionError } from '../errors.js';
import { expected, functionOf } from '../option-checks.js';

/**
 * Makes instances of one class storable.
 *
 * It is asked only for what could not be stored otherwise: class instances, functions, symbols and proxies.
 * Shared instances stay shared; an instance that contains itself is refused.
 *
 * @example
 * const money: ClassCodec<Money> = {
 *   tag: 'money',
 *   test: (value): value is Money => value instanceof Money,
 *   encode: (value) => [value.amount, value.currency],
 *   decode: (data) => new Money(...(data as [number, string])),
 * };
 */
export interface ClassCodec<T = unknown> {
  /** The name that stored bytes know the class by. Keep it for as long as they live. */
  readonly tag: string;
  /** Whether this codec is the one for `value`. The first codec to say so is used. */
  test(value: unknown): value is T;
  /** What to store for `value`: anything storable, other classes with codecs included. */
  encode(value: T): unknown;
  /** The instance again, from what `encode` returned. */
  decode(data: unknown): T;
}

/** The class codecs of one value codec, found by value or by tag. */
export class ClassCodecs {
  readonly #codecs: readonly ClassCodec[];
  readonly #byTag = new Map<string, ClassCodec>();

  constructor(codecs: readonly ClassCodec[]) {
    if (!Array.isArray(codecs)) {
      throw expected('codecs', 'an array', codecs);
    }
    this.#codecs = codecs.map(checkedCodec);
    for (const codec of this.#codecs) {
      if (this.#byTag.has(codec.tag)) {
        throw new InvalidOptionError(`Expected each tag in \`codecs\` once, got \`${codec.tag}\` twice`);
      }
      this.#byTag.set(codec.tag, codec);
    }
  }

  /** The codec for this value. What a user's `test` throws is passed on. */
  of(value: unknown): ClassCodec | undefined {
    for (const codec of this.#codecs) if (codec.test(value)) return codec;
    return undefined;
  }

  withTag(tag: string): ClassCodec | undefined {
    return this.#byTag.get(tag);
  }
}

/** The same codec, whose functions have to answer at once. */
function checkedCodec(codec: ClassCodec, index: number): ClassCodec {
  checkCodec(codec, index);
  const { tag } = codec;
  const checked = {
    test: (value: unknown) => codec.test(value),
    encode: (value: unknown) => codec.encode(value),
    decode: (data: unknown) => codec.decode(data),
  };
  return {
    tag,
    test: atOnce(checked.test, `${tag}.test`) as ClassCodec['test'],
    encode: atOnce(checked.encode, `${tag}.encode`),
    decode: atOnce(checked.decode, `${tag}.decode`),
  };
}

function checkCodec(codec: unknown, index: number): void {
  const place = `codecs[${index}]`;
  if (typeof codec !== 'object' || codec === null) {
    throw expected(place, 'an object', codec);
  }
  const { tag, test, encode, decode } = codec as Partial<ClassCodec>;
  if (typeof tag !== 'string' || tag === '' || !tag.isWellFormed()) {
    throw expected(`${place}.tag`, 'a well-formed, non-empty string', tag);
  }
  for (const [name, method] of Object.entries({ test, encode, decode }))
    functionOf(method, `${place}.${name}`);
}
