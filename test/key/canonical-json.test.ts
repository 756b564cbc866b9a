import { hash } from 'node:crypto';
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
      'a Map, in its order',
      new Map<unknown, unknown>([
        ['b', 1],
        [{ a: 2 }, new Set()],
      ]),
      '@Map(["b", 1], [{"a": 2}, @Set()])',
    ],
    ['a Set, in its order', new Set(['b', 'a', 3]), '@Set("b", "a", 3)'],
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
    ['a boxed BigInt', Object(1n), '@BigInt(@bigint(1))'],
    ['a boxed BigInt that no number equals', Object(2n ** 53n + 1n), '@BigInt(9007199254740993)'],
    ['a BigInt that a number equals', 7n, '@bigint(7)'],
    ['zero as a BigInt', 0n, '@bigint(0)'],
    ['a large BigInt that a number equals', -(10n ** 22n), '@bigint(-10000000000000000000000)'],
  ])('gives %s a form of its own', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('tells a BigInt from the number of its value, also as the key of a Map', () => {
    for (const number of [0, 7, -5, 2 ** 53, 2 ** 64, 1e22, -Number.MAX_VALUE]) {
      expect(canonicalJson([BigInt(number)])).not.toBe(canonicalJson([number]));
    }
    const ofKeys = (...keys: unknown[]) => canonicalJson(new Map(keys.map((key, i) => [key, i])));
    expect(ofKeys(1, 1n)).not.toBe(ofKeys(1n, 1));
  });

  it('prints a BigInt that no number equals as an integer, as Python does', () => {
    const huge = 10n ** 400n;
    expect(canonicalJson([2n ** 53n + 1n, -(2n ** 63n) + 1n, huge])).toBe(
      `[9007199254740993, -9223372036854775807, ${huge}]`,
    );
  });

  it('tells Maps and Sets of another order apart, as a tool can', () => {
    expect(canonicalJson(new Set(['b', 'a']))).not.toBe(canonicalJson(new Set(['a', 'b'])));
    const [first, second] = [['a', 1] as const, ['b', 2] as const];
    expect(canonicalJson(new Map([first, second]))).not.toBe(canonicalJson(new Map([second, first])));
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

  it('lose fields that are not enumerable, as in JSON', () => {
    const value = Object.defineProperties({ a: 1 }, { [Symbol('b')]: { value: 2 }, c: { value: 3 } });
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
    [
      'a field named by a symbol',
      { where: { age: { [Symbol.for('gt')]: 18 } } },
      'params.where.age',
      'an object with a field named by a symbol, `Symbol(gt)`',
    ],
    [
      'a field named by a symbol behind a hidden one',
      Object.assign(Object.defineProperty({}, Symbol('hidden'), { value: 1 }), { [Symbol.for('gt')]: 18 }),
      'params',
      'an object with a field named by a symbol, `Symbol(gt)`',
    ],
    [
      'a field of an array named by a symbol',
      { list: Object.assign([1], { [Symbol.for('gt')]: 18 }) },
      'params.list',
      'an object with a field named by a symbol, `Symbol(gt)`',
    ],
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

describe('a long text', () => {
  const cjk = '世界'.repeat(100_000);

  it('of any script is escaped as Python does it, across the pieces it is escaped in', () => {
    for (const length of [8191, 8192, 8193, 16_384, 20_000]) {
      const text = `${'界a"\n'.repeat(length / 4)}\ud83e\udda6`;
      const escaped = `"${'\\u754ca\\"\\n'.repeat(length / 4)}\\ud83e\\udda6"`;
      expect(canonicalJson(text) === escaped, `${length} units`).toBe(true);
    }
  });

  it('takes memory and time in proportion to its text', () => {
    const escaped = cjk.repeat(2);
    const ascii = 'x'.repeat(6 * escaped.length);
    expect(quickest(() => hash('md5', canonicalJson(escaped)))).toBeLessThan(
      5 * quickest(() => hash('md5', canonicalJson(ascii))),
    );
  });

  it.each<[string, () => unknown]>([
    ['one string', () => 'x'.repeat(2 ** 27)],
    ['one string of another script', () => '世'.repeat(2 ** 25)],
    ['many strings', () => Array.from({ length: 500 }, () => cjk)],
    ['strings in a Set', () => new Set(Array.from({ length: 500 }, (_, i) => `${i}${cjk}`))],
    ['a part that occurs again', () => nested(300, new Array(200).fill([cjk]))],
    ['bytes', () => new Uint8Array(101_000_000)],
    ['deep down', () => nested(300, 'x'.repeat(2 ** 27))],
  ])('is refused beyond 2^27 characters in all: %s', (_, make) => {
    const error = refusal(make());
    expect(error.path).toBe('params');
    expect(error.message).toContain('at most 134217728 characters');
  });

  it('is no limit up to there', () => {
    expect(canonicalJson('x'.repeat(2 ** 27 - 2))).toHaveLength(2 ** 27);
  });
});

/** Milliseconds of the quickest of some runs, which what else the machine does disturbs least. */
function quickest(run: () => unknown): number {
  const times = Array.from({ length: 7 }, () => {
    const start = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(start);
    return user + system;
  });
  return Math.min(...times);
}

function nested(depth: number, leaf: unknown): unknown {
  let value = leaf;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

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
    for (let i = 0; i < 22; i++) value = { a: value, b: value };
    expect(canonicalJson(value).length).toBe(
      2 ** 22 * (2 + '{"a": , "b": }'.length) - '{"a": , "b": }'.length,
    );
  });
});
