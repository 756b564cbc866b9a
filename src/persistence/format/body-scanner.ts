/** A msgpack scanner for the bodies of members: it reads fields and tags, and what it can't read is damage. */

import { maxElements } from '../../value/msgpack/limits.js';
import { MsgpackScanner } from '../../value/msgpack/scanner.js';
import { PartitionDamagedError } from '../disk-errors.js';

/** More fields or tags than any entry has; reading each costs time and memory that a value of that size does not. */
const maxFields = 100_000;
/** Values in one entry: its result, its params, its fields and tags. */
const maxValues = 4 * maxElements + 4 * maxFields;

export class BodyScanner extends MsgpackScanner {
  constructor(bytes: Buffer, position = 0) {
    super(bytes, position, maxValues);
  }

  /** The number of fields of the map that starts here, which a person has named. */
  fieldCount(): number {
    const type = this.bytes[this.position];
    if (type !== undefined && (type & 0xf0) === 0x80) {
      this.position += 1;
      return type & 0x0f;
    }
    const count = this.mapLength();
    return count > maxFields ? this.malformed(`over ${maxFields} fields`) : count;
  }

  /** The strings of the array that starts here; nothing else may be in it. */
  strings(): string[] {
    const count = this.arrayLength();
    if (count > maxFields) this.malformed(`over ${maxFields} tags`);
    const strings: string[] = [];
    for (let left = count; left > 0; left -= 1) {
      strings.push(this.stringOrSkip() ?? this.malformed('expected a string'));
    }
    return strings;
  }

  protected override malformed(reason: string): never {
    throw new PartitionDamagedError(`malformed msgpack: ${reason}`);
  }
}
