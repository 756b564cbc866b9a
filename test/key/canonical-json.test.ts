import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { UnhashableParamsError } from '../../src/errors.js';
import { canonicalJson } from '../../src/key/canonical-json.js';

/** The error that `value` is refused with. */
function refusal(value: unknown): UnhashableParamsError {
  try {
    canonicalJson(value);
  } catch (error) {
    if (error instanceof UnhashableParamsError) return error;
    throw error;
  }
  throw new Error(`Expected a refusal, got ${canonicalJson(value)}`);
}

/** An array with a hole at index 1. */
function withHole(...elements: unknown[]): unknown[] {
  delete elements[1];
  return elements;
}

class Session {
  readonly id = 1;
}

describe('what JSON can not say', () => {
  it.each<[string, unknown, string]>([
    ['undefined', undefined, '@undefined'],
    ['a field that is undefined', { a: undefined }, '{"a": @undefined}'],
    ['a Date', new Date(1_795_000_000_000), '@Date(1795000000000)'],
    ['an invalid Date', new Date(Number.NaN), '@Date(NaN)'],
    [
      'a Map, whatever its order',
      new Map<unknown, unknown>([
        ['b', 1],
        [{ a: 2 }, new Set()],
      ]),
      '@Map(["b", 1], [{"a": 2}, @Set()])',
    ],
    ['a Set, whatever its order', new Set(['b', 'a', 3]), '@Set("a", "b", 3)'],
    ['a RegExp', /a"b/gi, '@RegExp("a\\"b", "gi")'],
    ['an Error', new TypeError('no', { cause: 1 }), '@TypeError("TypeError", "no", {"cause": 1})'],
    [
      'an Error with a code',
      Object.assign(new Error('no'), { code: 'ENOENT' }),
      '@Error("Error", "no", {"code": "ENOENT"})',
    ],
    [
      'an Error with a hidden code',
      Object.defineProperty(new Error('no'), 'code', { value: 'ENOENT' }),
      '@Error("Error", "no", {"code": "ENOENT"})',
    ],
    [
      'an AggregateError',
      new AggregateError([1], 'no'),
      '@AggregateError("AggregateError", "no", {"errors": [1]})',
    ],
    ['a Uint8Array', Uint8Array.of(1, 2, 255), '@Uint8Array("AQL/")'],
    [
      'a view into a part of a buffer',
      new Uint8Array(Uint8Array.of(0, 1, 2, 255).buffer, 1),
      '@Uint8Array("AQL/")',
    ],
    ['a Buffer', Buffer.of(1, 2, 255), '@Buffer("AQL/")'],
    ['an ArrayBuffer', Uint8Array.of(1, 2, 255).buffer, '@ArrayBuffer("AQL/")'],
    ['a DataView', new DataView(Uint8Array.of(1, 2, 255).buffer), '@DataView("AQL/")'],
    ['an array with a hole', withHole(1, undefined, 3), '@Array(3, {"0": 1, "2": 3})'],
    ['a huge array of holes', new Array(4_000_000_000), '@Array(4000000000, {})'],
    ['an array with a field', Object.assign([1], { index: 2 }), '@Array(1, {"0": 1, "index": 2})'],
    [
      'an array with as many fields as holes',
      Object.assign(withHole(1, undefined, 3), { index: 2 }),
      '@Array(3, {"0": 1, "2": 3, "index": 2})',
    ],
    ['a boxed number', Object(1), '@Number(1)'],
    ['a boxed string', Object('a'), '@String("a")'],
    ['a boxed BigInt', Object(1n), '@BigInt(1)'],
  ])('gives %s a form of its own', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('gives a BigInt and the number of its value the same text', () => {
    expect(canonicalJson([1n, -5n, 2n ** 64n])).toBe(canonicalJson([1, -5, 2 ** 64]));
  });

  it('takes keys of a Map for different numbers where a BigInt is more exact', () => {
    const keys = [2n ** 53n + 1n, 2 ** 53, Number.POSITIVE_INFINITY, 10n ** 400n];
    expect(canonicalJson(new Map(keys.map((key) => [key, 1])))).toContain('@Map([');
  });

  it('takes all bit patterns of NaN for one', () => {
    const bits = new Uint32Array([1, 0x7ff80000]);
    expect(canonicalJson(new Float64Array(bits.buffer))).toBe(canonicalJson(Float64Array.of(Number.NaN)));
    expect(canonicalJson(Float64Array.of(-0))).not.toBe(canonicalJson(Float64Array.of(0)));
  });
});

describe('plain objects', () => {
  it('are the same with and without a prototype', () => {
    expect(canonicalJson(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a": 2, "b": 1}');
  });

  it('and arrays, Dates and Maps may come from another realm', () => {
    const foreign = runInNewContext('({ b: [1, new Date(5)], a: new Map([[1, new Error("no")]]) })');
    expect(canonicalJson(foreign)).toBe('{"a": @Map([1, @Error("Error", "no", {})]), "b": [1, @Date(5)]}');
    const views = runInNewContext('[new Uint16Array(2).subarray(1), new DataView(new ArrayBuffer(3), 0, 2)]');
    expect(canonicalJson(views)).toBe('[@Uint16Array("AAA="), @DataView("AAA=")]');
  });

  it('lose fields that are not enumerable or named by a symbol, as in JSON', () => {
    const value = Object.defineProperty({ a: 1, [Symbol('b')]: 2 }, 'c', { value: 3 });
    expect(canonicalJson(value)).toBe('{"a": 1}');
  });

  it('have their getters and Proxy traps read', () => {
    const value = {
      get b() {
        return 2;
      },
      a: 1,
    };
    expect(canonicalJson(value)).toBe('{"a": 1, "b": 2}');
    expect(canonicalJson(new Proxy(value, {}))).toBe('{"a": 1, "b": 2}');
    expect(canonicalJson(new Proxy([1, 2], {}))).toBe('[1, 2]');
  });

  it('do not take fields from a polluted Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'polluted', { value: 1, enumerable: true, configurable: true });
    const text = canonicalJson({ a: 1 });
    Reflect.deleteProperty(Object.prototype, 'polluted');
    expect(text).toBe('{"a": 1}');
  });

  it('may be shared, which is no cycle', () => {
    const shared = { a: 1 };
    expect(canonicalJson([shared, { shared }])).toBe('[{"a": 1}, {"shared": {"a": 1}}]');
  });
});

describe('a refusal', () => {
  it.each<[string, unknown, string, string]>([
    ['a function', { filter: [{}, { callback: () => 1 }] }, 'params.filter[1].callback', 'a function'],
    ['a symbol', { 'odd key': Symbol('s') }, 'params["odd key"]', 'a symbol'],
    ['a class instance', [new Session()], 'params[0]', 'an instance of Session'],
    ['a Promise', { a: Promise.resolve() }, 'params.a', 'an instance of Promise'],
    [
      'a subclass of a built-in class',
      { a: new (class Dates extends Date {})() },
      'params.a',
      'an instance of Dates',
    ],
    ['a subclass of Array', { a: new (class List extends Array {})() }, 'params.a', 'an instance of List'],
    [
      'a subclass of Uint8Array',
      { a: new (class Bytes extends Uint8Array {})(1) },
      'params.a',
      'an instance of Bytes',
    ],
    ['a Date with a field', Object.assign(new Date(0), { zone: 'UTC' }), 'params', 'fields of its own'],
    [
      'a view with a field',
      { a: Object.assign(new Uint8Array(2), { x: 1 }) },
      'params.a',
      'fields of its own',
    ],
    [
      'a large view with a field',
      Object.assign(new Float64Array(1e6), { x: 1 }),
      'params',
      'fields of its own',
    ],
    ['a Buffer with a field', Object.assign(Buffer.alloc(2), { x: 1 }), 'params', 'fields of its own'],
    [
      'a view with a symbol',
      Object.assign(new DataView(new ArrayBuffer(2)), { [Symbol('x')]: 1 }),
      'params',
      'fields',
    ],
    [
      'a Map whose values JSON could not tell to which key they belong',
      new Map<unknown, unknown>([
        [1, 'a'],
        [1n, 'b'],
      ]),
      'params',
      'keys such as 1 and 1n',
    ],
    ['a Proxy of a Map', new Proxy(new Map(), {}), 'params', 'a Proxy'],
    ['an object whose prototype is another', Object.create({ a: 1 }), 'params', 'an instance of Object'],
    [
      'an object with only the prototype of a Set',
      Object.create(Set.prototype),
      'params',
      'an instance of Set',
    ],
    ['a boxed symbol', Object(Symbol('s')), 'params', 'an instance of Symbol'],
    ['a toJSON method', { toJSON: () => 1 }, 'params.toJSON', 'a function'],
    ['a key of a Map', new Map([[() => 1, 1]]), 'params.entries()[0][0]', 'a function'],
    [
      'a value of a Map',
      {
        a: new Map<number, unknown>([
          [1, 2],
          [3, Symbol('s')],
        ]),
      },
      'params.a.entries()[1][1]',
      'a symbol',
    ],
    ['a member of a Set', new Set([[new Session()]]), 'params.values()[0][0]', 'an instance of Session'],
    [
      'a cause of an Error',
      new Error('no', { cause: new Session() }),
      'params.cause',
      'an instance of Session',
    ],
    ['a field of an array', Object.assign([1], { groups: Symbol('s') }), 'params.groups', 'a symbol'],
    [
      'a getter that throws',
      {
        a: {
          get b() {
            throw new Error('no');
          },
        },
      },
      'params.a.b',
      'a getter that throws',
    ],
  ])('of %s names its path and what it is', (_, value, path, kind) => {
    const error = refusal(value);
    expect(error.code).toBe('ERR_UNHASHABLE_PARAMS');
    expect(error.path).toBe(path);
    expect(error.message).toContain(`\`${path}\``);
    expect(error.message).toContain(kind);
  });

  it('of a cycle names where it closes', () => {
    const task: Record<string, unknown> = { name: 'x', steps: [{}] };
    (task['steps'] as Record<string, unknown>[])[0] = { owner: task };
    expect(refusal({ task }).path).toBe('params.task.steps[0].owner');
    const map = new Map<string, unknown>();
    map.set('self', map);
    expect(refusal(map).path).toBe('params.entries()[0][1]');
  });

  it('of a revoked Proxy, or one with a trap that throws, is one of ours too', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal({ proxy }).path).toBe('params.proxy');
    const throwing = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    expect(refusal({ throwing }).cause).toBeInstanceOf(Error);
  });

  it('of params too large for a string is one of ours', () => {
    let value: unknown = ['x'.repeat(1000)];
    for (let i = 0; i < 40; i++) value = [value, value];
    expect(refusal(value).cause).toBeInstanceOf(RangeError);
  });
});

describe('depth', () => {
  it.each([255, 256, 257, 5000, 200_000])('of %i levels is no limit', (depth) => {
    let value: unknown = 1;
    for (let i = 0; i < depth; i++) value = [value];
    expect(canonicalJson(value) === `${'['.repeat(depth)}1${']'.repeat(depth)}`).toBe(true);
  });

  it('is no limit through objects, Maps, Sets and Errors', () => {
    const depth = 5000;
    let value: unknown = 1;
    for (let i = 0; i < depth; i++)
      value = { a: new Map([[new Set([value]), new Error('e', { cause: i })]]) };
    const start = '{"a": @Map([@Set('.repeat(depth);
    const ends = Array.from({ length: depth }, (_, i) => `), @Error("Error", "e", {"cause": ${i}})])}`);
    expect(canonicalJson(value) === `${start}1${ends.join('')}`).toBe(true);
  });

  it('leaves paths right far below', () => {
    let value: unknown = { bad: () => 1 };
    for (let i = 0; i < 3000; i++) value = [value];
    expect(refusal(value).path).toBe(`params${'[0]'.repeat(3000)}.bad`);
  });

  it('with parts that occur many times over costs no more than its text', () => {
    let value: unknown = [];
    for (let i = 0; i < 24; i++) value = { a: value, b: value };
    expect(canonicalJson(value).length).toBe(
      2 ** 24 * (2 + '{"a": , "b": }'.length) - '{"a": , "b": }'.length,
    );
  });
});
