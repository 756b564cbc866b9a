/** Reading large values in slices of some milliseconds, so that others run meanwhile. */

import { ownSlice, type TimeSlice } from '../../next-turn.js';
import { MsgpackReader, type OpenContainer, setProperty } from './reader.js';
import type { MsgpackSink } from './writer.js';

/** What is told of a value while it is read, as a walk over it would tell. */
export type ReadingObserver = Pick<MsgpackSink, 'number' | 'string' | 'key' | 'binary' | 'array' | 'map'>;

/** How bytes are read in slices. */
export interface SlicedReading {
  readonly start?: number;
  /** See `readMsgpack`. */
  readonly texts?: readonly string[] | undefined;
  readonly observer?: ReadingObserver | undefined;
  /** Takes in, of each map with maps or lists in it, under which keys they are: one as often as it comes. */
  readonly nested?: Map<object, string[]> | undefined;
  /** Throws where the value is not wanted any more. Asked before each slice. */
  readonly check?: (() => void) | undefined;
}

/** What `readMsgpack` reads of the same bytes. Nobody may change them until then. */
export async function readMsgpackInSlices(bytes: Uint8Array, reading: SlicedReading = {}): Promise<unknown> {
  const reader = new SlicedReader(bytes, reading);
  // Few elements are read at once, however long their texts are.
  let isWhole = reader.goOn({ isOver: true });
  while (!isWhole) {
    const slice = await ownSlice();
    reading.check?.();
    isWhole = reader.goOn(slice);
  }
  return reader.value;
}

/** Steps of which each takes a microsecond at most, and bytes: after so many it is time to look at the clock. */
const [stepsUnseen, bytesUnseen] = [256, 2 ** 17];

/** Reads one value, and stops where a slice is over. */
export class SlicedReader {
  /** One of its own, which needs no scratch memory: others read meanwhile. */
  readonly #reader = new MsgpackReader(Buffer.alloc(0));
  readonly #open: OpenContainer[];
  readonly #observer: ReadingObserver | undefined;
  readonly #nested: Map<object, string[]> | undefined;
  #hasBegun = false;
  #value: unknown;

  constructor(bytes: Uint8Array, { start = 0, texts, observer, nested }: SlicedReading = {}) {
    this.#open = this.#reader.begin(bytes, start, texts);
    this.#observer = observer;
    this.#nested = nested;
  }

  /** The value, once it is whole. */
  get value(): unknown {
    return this.#value;
  }

  /** Reads on until the slice is over; tells whether the value is whole. */
  goOn(slice: Pick<TimeSlice, 'isOver'>): boolean {
    const reader = this.#reader;
    const open = this.#open;
    const observer = this.#observer;
    if (!this.#hasBegun) this.#value = this.#item();
    this.#hasBegun = true;
    let stepsLeft = stepsUnseen;
    let unseenTo = reader.position + bytesUnseen;
    for (let depth = open.length; depth > 0; depth = open.length) {
      const top = open[depth - 1] as OpenContainer;
      const { array, map } = top;
      // An item that is a container comes first, with its own items.
      while (top.left > 0 && open.length === depth) {
        if (--stepsLeft === 0 || reader.position > unseenTo) {
          if (slice.isOver) return false;
          stepsLeft = stepsUnseen;
          unseenTo = reader.position + bytesUnseen;
        }
        top.left -= 1;
        if (map === undefined) {
          array?.push(this.#item());
          continue;
        }
        const key = reader.key();
        if (observer !== undefined) observer.key(key);
        const item = this.#item();
        if (this.#nested !== undefined && typeof item === 'object' && item !== null) this.#note(map, key);
        setProperty(map, key, item);
      }
      if (open.length === depth) reader.leave();
    }
    reader.end();
    return true;
  }

  #note(map: object, key: string): void {
    const keys = this.#nested?.get(map);
    if (keys === undefined) this.#nested?.set(map, [key]);
    else keys.push(key);
  }

  #item(): unknown {
    const value = this.#reader.item();
    const observer = this.#observer;
    if (observer === undefined) return value;
    if (typeof value === 'number') observer.number(value);
    else if (typeof value === 'string') observer.string(value);
    else if (Buffer.isBuffer(value)) observer.binary(value);
    else {
      const opened = this.#open.at(-1);
      if (opened !== undefined && opened.array === value) observer.array(opened.left);
      else if (opened !== undefined && opened.map === value) observer.map(opened.left);
    }
    return value;
  }
}
