/** Buffers, array buffers and views. Only the bytes that a view shows are stored, never its neighbours' in a pool. */

import { types } from 'node:util';
import { isBareView } from '../bare-view.js';
import { builtInName } from '../built-in-name.js';
import { Tag } from './format.js';
import { expectString, type FormSink, type RichType } from './type.js';

interface ViewConstructor {
  readonly prototype: ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
  new (buffer: ArrayBuffer): ArrayBufferView;
}

/** Typed arrays and DataView by class name, as far as this Node has them: Float16Array came with Node 24. */
const viewClasses: ReadonlyMap<string, ViewConstructor> = new Map(
  [
    'Int8Array',
    'Uint8Array',
    'Uint8ClampedArray',
    'Int16Array',
    'Uint16Array',
    'Int32Array',
    'Uint32Array',
    'Float16Array',
    'Float32Array',
    'Float64Array',
    'BigInt64Array',
    'BigUint64Array',
    'DataView',
  ].flatMap((name) => {
    const viewClass = (globalThis as unknown as Record<string, ViewConstructor | undefined>)[name];
    return viewClass === undefined ? [] : [[name, viewClass] as const];
  }),
);

export const bufferType: RichType<Buffer> = {
  tag: Tag.Buffer,
  prototypes: [Buffer.prototype],
  isOne: types.isUint8Array,
  report(buffer, to) {
    to.sink.begin(Tag.Buffer, 1);
    to.sink.binary(shownBytes(buffer, to));
    to.sink.end(Tag.Buffer);
  },
  revive: ([bytes], from) => from.enter(expectBytes(bytes)),
};

export const arrayBufferType: RichType<ArrayBuffer> = {
  tag: Tag.ArrayBuffer,
  prototypes: [ArrayBuffer.prototype],
  isOne: (value) => types.isArrayBuffer(value),
  ownKeys: 0,
  report(buffer, to) {
    to.sink.begin(Tag.ArrayBuffer, 1);
    to.sink.binary(allBytes(buffer, to));
    to.sink.end(Tag.ArrayBuffer);
  },
  revive: ([bytes], from) => from.enter(ownBuffer(expectBytes(bytes))),
};

export const viewType: RichType<ArrayBufferView> = {
  tag: Tag.View,
  prototypes: [...viewClasses.values()].map(({ prototype }) => prototype),
  isOne: ArrayBuffer.isView,
  report(view, to) {
    to.sink.begin(Tag.View, 2);
    to.sink.string(builtInName(Object.getPrototypeOf(view)) ?? '');
    to.sink.binary(shownBytes(view, to));
    to.sink.end(Tag.View);
  },
  revive([name, bytes], from) {
    const viewClass = viewClasses.get(expectString(name));
    if (viewClass === undefined) throw new TypeError(`Expected a class of views this Node has, got ${name}`);
    return from.enter(new viewClass(ownBuffer(expectBytes(bytes))));
  },
};

function shownBytes(view: ArrayBufferView, to: FormSink): Uint8Array {
  checkBuffer(view.buffer, to);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch (error) {
    return to.refuse('a view on a detached ArrayBuffer', 'store it before it is transferred', error);
  }
  if (!isBareView(view)) to.refuse('a view with properties of its own');
  return claimed(bytes, to);
}

function allBytes(buffer: ArrayBuffer, to: FormSink): Uint8Array {
  checkBuffer(buffer, to);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(buffer);
  } catch (error) {
    return to.refuse('a detached ArrayBuffer', 'store it before it is transferred', error);
  }
  return claimed(bytes, to);
}

/** Refuses what would come back with memory of its own and shares it now. Neighbours in a pool share none. */
function claimed(bytes: Uint8Array, to: FormSink): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (!to.memory.add(buffer, byteOffset, byteOffset + byteLength)) {
    to.refuse('memory that another view in the value shows too', 'store copies of the bytes instead');
  }
  return bytes;
}

function checkBuffer(buffer: ArrayBufferLike, to: FormSink): void {
  if (types.isSharedArrayBuffer(buffer)) to.refuse('shared memory', 'store a copy of its bytes instead');
  if ((buffer as { resizable?: boolean }).resizable === true) {
    to.refuse('a resizable ArrayBuffer', 'store a copy of its bytes instead');
  }
}

function expectBytes(item: unknown): Buffer {
  if (!Buffer.isBuffer(item)) throw new TypeError('Expected bytes in a form');
  return item;
}

/** The memory behind bytes that the reader has copied: it is theirs alone. */
function ownBuffer({ buffer }: Buffer): ArrayBuffer {
  return buffer as ArrayBuffer;
}
