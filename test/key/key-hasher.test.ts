import crypto, { createHash, Hash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InvalidArgumentError, UnhashableParamsError } from '../../src/errors.js';
import { createKeyHasher, hashKey } from '../../src/key/key-hasher.js';
import { clonableValue, text } from './arbitrary.js';

/** An array with a hole at index 0. */
const withHole = Object.assign(new Array<unknown>(2), { 1: 1 });

const md5 = (content: string) => createHash('md5').update(content).digest('hex');

describe('a key', () => {
  it('is the md5 of method, colon and canonical JSON', () => {
    expect(hashKey('search', { query: 'otters', limit: 10 })).toBe(
      md5('search:{"limit": 10, "query": "otters"}'),
    );
    expect(hashKey('ping', undefined)).toBe(md5('ping:@undefined'));
  });

  it('has scope and version behind a newline, in one object of those given', () => {
    expect(hashKey('m', 1, { version: '2' })).toBe(md5('m:1\n{"version": "2"}'));
    expect(hashKey('m', 1, { scope: 'task' })).toBe(md5('m:1\n{"scope": "task"}'));
    expect(hashKey('m', 1, { scope: { user: 'u', tenant: 't' }, version: 2 })).toBe(
      md5('m:1\n{"scope": {"tenant": "t", "user": "u"}, "version": 2}'),
    );
    expect(hashKey('m', 1, { scope: undefined, version: undefined, ignore: undefined })).toBe(
      hashKey('m', 1),
    );
  });

  it('differs between methods whose names contain colons, newlines or JSON', () => {
    fc.assert(
      fc.property(text, clonableValue, clonableValue, (name, params, other) => {
        const method = `a:${name.replace(/\p{Surrogate}/gu, '?')}`;
        expect(hashKey(method, params)).not.toBe(hashKey('a', other));
        expect(hashKey(method, params)).not.toBe(hashKey('a', `${name}:1`));
        expect(hashKey('a:1\n{"scope"', params)).not.toBe(hashKey('a', 1, { scope: other }));
      }),
      { numRuns: 2000, seed: 20_261_123 },
    );
  });

  it('is the same from a prepared hasher', () => {
    const options = { version: 3, ignore: ['trace_id', ['meta', 'a.b']] };
    const keyOf = createKeyHasher('m', options);
    const params = { trace_id: 1, meta: { 'a.b': 2, c: 3 } };
    expect(keyOf(params)).toBe(hashKey('m', params, options));
    expect(keyOf(params, 'task')).toBe(hashKey('m', params, { ...options, scope: 'task' }));
    expect(keyOf(params)).toBe(md5('m:{"meta": {"c": 3}}\n{"version": 3}'));
  });
});

describe('a long text beyond ASCII', () => {
  afterEach(() => vi.restoreAllMocks());

  const cjk = '世界'.repeat(500_000);
  const escaped = '\\u4e16\\u754c'.repeat(500_000);

  // What is counted is the work that made keys of names, scopes and versions take twice as long as those of values: one
  // more string of all escapes, six times as long as the text.
  it.each<[string, unknown, object, string]>([
    ['in a value', { a: cjk }, {}, `{"a": "${escaped}"}`],
    ['as the name of a field', { [cjk]: 1 }, {}, `{"${escaped}": 1}`],
    ['as such a name beside an ignored field', { a: 1, [cjk]: 1 }, { ignore: ['a'] }, `{"${escaped}": 1}`],
    ['as scope', 1, { scope: cjk }, `1\n{"scope": "${escaped}"}`],
    ['as version', 1, { version: cjk }, `1\n{"version": "${escaped}"}`],
    ['as scope with a version', 1, { scope: cjk, version: 2 }, `1\n{"scope": "${escaped}", "version": 2}`],
    [
      'everywhere',
      { [cjk]: cjk },
      { scope: [cjk, 'é'], version: cjk },
      `{"${escaped}": "${escaped}"}\n{"scope": ["${escaped}", "\\u00e9"], "version": "${escaped}"}`,
    ],
  ])('is hashed piece by piece, never as one string: %s', (_, params, options, text) => {
    const expected = md5(`m:${text}`);
    const whole = vi.spyOn(crypto, 'hash');
    const update = vi.spyOn(Hash.prototype, 'update');
    expect(hashKey('m', params, options)).toBe(expected);
    expect(whole).not.toHaveBeenCalled();
    expect(Math.max(...update.mock.calls.map(([piece]) => piece.length))).toBeLessThan(50_000);
  });
});

describe('ignored paths', () => {
  it.each<[string, unknown, readonly (string | readonly string[])[], unknown]>([
    ['a field', { a: 1, b: 2 }, ['b'], { a: 1 }],
    ['a nested field', { a: { b: 1, c: 2 } }, ['a.b'], { a: { c: 2 } }],
    ['the last field', { a: { b: 1 } }, ['a.b'], { a: {} }],
    ['a field whose name has a dot', { 'a.b': 1, a: { b: 2 } }, [['a.b']], { a: { b: 2 } }],
    ['a field without a name', { '': 1, a: 2 }, [['']], { a: 2 }],
    ['a field and one below it', { a: { b: 1 }, c: 2 }, ['a.b', 'a', 'a.c'], { c: 2 }],
    ['a __proto__ field', JSON.parse('{"__proto__": 1, "a": 2}'), ['__proto__'], { a: 2 }],
    ['elements by their index before anything is left out', [1, 2, 3, 4], ['0', '2'], [2, 4]],
    ['a field of an element', [{ a: 1, b: 2 }, { a: 1 }], ['0.a'], [{ b: 2 }, { a: 1 }]],
    ['what is not there', { a: 1 }, ['b', 'a.b', 'a.length', 'x.y.z'], { a: 1 }],
    [
      'nothing in a Map, a string or a typed array',
      [new Map([['a', 1]]), 'ab', Uint8Array.of(1)],
      ['0.a', '1.0', '2.0'],
      [new Map([['a', 1]]), 'ab', Uint8Array.of(1)],
    ],
    ['nothing in an array with holes', { a: withHole }, ['a.1'], { a: withHole }],
    [
      'one occurrence of an object, not the other',
      twice({ a: 1, b: 2 }),
      ['first.a'],
      { first: { b: 2 }, second: { a: 1, b: 2 } },
    ],
  ])('leave out %s', (_, params, ignore, rest) => {
    expect(hashKey('m', params, { ignore })).toBe(hashKey('m', rest));
  });

  it('make params hashable that otherwise would not be', () => {
    const params = { query: 'x', signal: new AbortController().signal, hooks: { done: () => 1 } };
    expect(() => hashKey('m', params)).toThrow(UnhashableParamsError);
    expect(hashKey('m', params, { ignore: ['signal', 'hooks.done'] })).toBe(
      hashKey('m', { query: 'x', hooks: {} }),
    );
  });

  it('hold in params of any depth', () => {
    for (const levels of [250, 254, 255, 256, 382, 383, 384, 385, 5000]) {
      const rest = { kept: nested(levels), meta: { kept: nested(levels) } };
      const params = { ...rest, signal: () => 1, meta: { ...rest.meta, callback: () => 1 } };
      expect(hashKey('m', params, { ignore: ['signal', 'meta.callback'] })).toBe(hashKey('m', rest));
    }
  });

  it('hold only where they lead, also for an object that occurs elsewhere in deep params', () => {
    const shared = { callback: () => 1, kept: 2 };
    const ignore = ['first.callback'];
    const rest = { deep: nested(1000), first: { kept: 2 } };
    expect(hashKey('m', { ...rest, first: shared }, { ignore })).toBe(hashKey('m', rest));
    expect(() => hashKey('m', { ...rest, first: shared, second: shared }, { ignore })).toThrow(
      '`params.second.callback`',
    );
  });

  it('do not change the params', () => {
    const params = Object.freeze({ a: Object.freeze({ b: 1 }) });
    hashKey('m', params, { ignore: ['a.b'] });
    expect(params).toEqual({ a: { b: 1 } });
  });
});

describe('a wrong argument', () => {
  it.each<[string, unknown, string]>([
    ['an empty method', '', '`""`'],
    ['a method that is no string', 7, '`7`'],
    ['a method that is an object', {}, 'an object'],
    ['a method with a lone surrogate', 'a\ud800', '"a\\ud800"'],
  ])('such as %s is named in the error', (_, method, shown) => {
    expect(() => hashKey(method as string, 1)).toThrow(InvalidArgumentError);
    expect(() => hashKey(method as string, 1)).toThrow(shown);
  });

  it.each<[string, unknown, string]>([
    ['version', { version: {} }, 'version'],
    ['version that is NaN', { version: Number.NaN }, '`NaN`'],
    ['list of ignored paths', { ignore: 'trace_id' }, 'put it in brackets'],
    ['ignored path', { ignore: [''] }, '`""`'],
    ['ignored path with an empty key', { ignore: ['a..b'] }, '`"a..b"`'],
    ['ignored path without keys', { ignore: [[]] }, '`[]`'],
    ['ignored path with a key that is no string', { ignore: [['a', 1]] }, '`["a",1]`'],
    ['ignored path of no kind', { ignore: [null] }, '`null`'],
    ['ignored path that is too long', { ignore: [Array(65).fill('a')] }, '1 to 64'],
  ])('such as a wrong %s is named in the error', (_, options, shown) => {
    expect(() => hashKey('m', 1, options as object)).toThrow(InvalidArgumentError);
    expect(() => hashKey('m', 1, options as object)).toThrow(shown);
  });

  it('in the scope is told from one in the params', () => {
    expect(() => hashKey('m', { a: 1 }, { scope: { f: () => 1 } })).toThrow('`scope.f`');
    expect(() => hashKey('m', { f: () => 1 }, { scope: 's' })).toThrow('`params.f`');
  });
});

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { a: value };
  return value;
}

function twice(value: unknown): unknown {
  return { first: value, second: value };
}
