import { readFileSync } from 'node:fs';
import { isNativeError } from 'node:util/types';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ErrorSnapshot } from '../../src/guard/error-snapshot.js';

class ToolError extends Error {
  override name = 'ToolError';
  readonly status: number;

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  get isRetryable(): boolean {
    return this.status >= 500;
  }
}

const copyOf = <E>(error: E) => new ErrorSnapshot(error).copy() as E;

describe('ErrorSnapshot', () => {
  it('copies the plain parts of an error of another realm too', () => {
    const error = runInNewContext('Object.assign(new Error("no"), { details: { tries: [1] } })');
    const copy = copyOf(error);
    copy.details.tries.push(2);
    expect(error.details.tries).toHaveLength(1);
    expect(Object.getPrototypeOf(copy)).toBe(Object.getPrototypeOf(error));
  });

  it('throws an error equal in class, name, message, stack, code, cause and own properties', () => {
    const cause = Object.assign(new TypeError('socket closed'), { code: 'ECONNRESET' });
    const error = Object.assign(new ToolError('search failed', 503, { cause }), {
      code: 'E_SEARCH',
      details: { tries: [1, 2] },
    });
    const copy = copyOf(error);
    expect(copy).toBeInstanceOf(ToolError);
    expect(isNativeError(copy)).toBe(true);
    expect(copy.isRetryable).toBe(true);
    for (const key of ['name', 'message', 'stack', 'code', 'status', 'details'] as const) {
      expect(copy[key]).toEqual(error[key]);
    }
    expect(Reflect.ownKeys(copy).sort()).toEqual(Reflect.ownKeys(error).sort());
    expect(Object.keys(copy)).toEqual(Object.keys(error));
    expect(copy.cause).toBeInstanceOf(TypeError);
    expect(copy.cause).toMatchObject({ message: 'socket closed', code: 'ECONNRESET', stack: cause.stack });
  });

  it('gives every caller a copy that nobody else can write on; the same error for all would let them', () => {
    const error = Object.assign(new ToolError('failed', 500, { cause: new Error('why') }), {
      details: { tries: [1] },
    });
    const kept = new ErrorSnapshot(error);
    const spoil = (target: typeof error) => {
      target.message += ' (seen)';
      target.details.tries.push(2);
      (target.cause as Error).message = 'changed';
    };
    spoil(error);
    spoil(kept.copy() as typeof error);
    expect(kept.copy()).toMatchObject({
      message: 'failed',
      details: { tries: [1] },
      cause: { message: 'why' },
    });
    expect(kept.copy()).not.toBe(kept.copy());
  });

  it('copies errors of Node itself, with their codes', () => {
    let error: NodeJS.ErrnoException | undefined;
    try {
      readFileSync('/no/such/file');
    } catch (caught) {
      error = caught as NodeJS.ErrnoException;
    }
    expect(copyOf(error)).toMatchObject({ code: 'ENOENT', syscall: 'open', message: error!.message });
  });

  it('copies DOMExceptions, whose message and name are out of reach', () => {
    const error = new DOMException('took too long', 'TimeoutError');
    const copy = copyOf(error);
    expect(copy).toBeInstanceOf(DOMException);
    expect(copy).not.toBe(error);
    expect([copy.name, copy.message, copy.code, copy.stack]).toEqual([
      'TimeoutError',
      'took too long',
      23,
      error.stack,
    ]);
  });

  it('copies the errors within an AggregateError', () => {
    const error = new AggregateError([new ToolError('a', 500), new ToolError('b', 400)], 'both failed');
    const copy = copyOf(error);
    expect(copy.errors[0]).toBeInstanceOf(ToolError);
    expect(copy.errors[0]).not.toBe(error.errors[0]);
    expect(copy.errors).toHaveLength(2);
    expect(copy.errors[1]).toMatchObject({ message: 'b', status: 400 });
  });

  it('copies errors that refer to themselves', () => {
    const error = new Error('loop');
    error.cause = { error };
    const copy = copyOf(error);
    expect((copy.cause as { error: Error }).error).toBe(copy);
  });

  it('copies an error of another realm', () => {
    const error = runInNewContext("Object.assign(new RangeError('elsewhere'), { code: 'E_VM' })") as Error;
    const copy = copyOf(error);
    expect(copy).not.toBe(error);
    expect(copy).toMatchObject({ name: 'RangeError', message: 'elsewhere', code: 'E_VM' });
  });

  it('shares what it can’t copy', () => {
    const response = new Response('body');
    const retry = () => {};
    const copy = copyOf(Object.assign(new Error('failed'), { response, retry }));
    expect(copy.response).toBe(response);
    expect(copy.retry).toBe(retry);
  });

  it('keeps accessors and hidden properties what they are', () => {
    const error = new Error('failed');
    const secret = Symbol('secret');
    Object.defineProperty(error, 'twice', { get: () => 2, enumerable: true });
    Object.defineProperty(error, secret, { value: 1 });
    const copy = copyOf(error);
    expect(Object.getOwnPropertyDescriptor(copy, 'twice')).toEqual(
      Object.getOwnPropertyDescriptor(error, 'twice'),
    );
    expect(Object.getOwnPropertyDescriptor(copy, secret)).toEqual(
      Object.getOwnPropertyDescriptor(error, secret),
    );
  });

  it('copies Maps, Sets, Dates and URLs', () => {
    const parts = {
      map: new Map([['a', [1]]]),
      set: new Set(['b']),
      at: new Date(5),
      url: new URL('https://example.org/a'),
    };
    const error = Object.assign(new Error('failed'), parts);
    const copy = copyOf(error);
    for (const name of ['map', 'set', 'at', 'url'] as const) {
      expect(copy[name]).toEqual(parts[name]);
      expect(copy[name]).not.toBe(parts[name]);
    }
    copy.map.get('a')!.push(2);
    expect(parts.map.get('a')).toEqual([1]);
  });

  it('tells the place where the tool failed and never its own', () => {
    const error = new Error('failed');
    error.stack = 'at the tool';
    expect(copyOf(error).stack).toBe('at the tool');
    delete error.stack;
    expect(copyOf(error).stack).toBeUndefined();
  });

  it.each([undefined, null, 'plain text', 42, { code: 'E_PLAIN' }, ['a', 'b']])(
    'throws %o, which is no error, as it was',
    (thrown) => {
      expect(copyOf(thrown)).toEqual(thrown);
    },
  );

  it('overflows no stack by a long chain of causes', () => {
    let error = new Error('first');
    for (let i = 0; i < 20_000; i++) error = new Error('next', { cause: error });
    expect(copyOf(error).cause).toMatchObject({ message: 'next' });
  });
});

describe('a remembered error', () => {
  it('leaves out what could hold on to any amount of memory: instances, functions, getters, proxies', () => {
    const big = new Uint8Array(1000);
    class Held {
      readonly big = big;
    }
    const error = Object.assign(new Error('failed'), {
      response: new Response('body'),
      retry: () => big,
      held: new Held(),
      proxy: new Proxy({ big }, {}),
      list: [1, new Held(), 2],
      details: { status: 404, held: new Held() },
      seen: new Map<unknown, unknown>([['a', new Held()]]),
    });
    Object.defineProperty(error, 'twice', { get: () => 2, enumerable: true });
    const copy = ErrorSnapshot.toStore(error)!.copy() as typeof error;
    expect(Object.keys(copy).sort()).toEqual(['details', 'list', 'seen']);
    expect(copy.details).toEqual({ status: 404 });
    expect([...copy.list]).toEqual([1, undefined, 2]);
    expect(copy.seen).toEqual(new Map([['a', undefined]]));
  });

  it('keeps no response that was thrown itself', () => {
    expect(ErrorSnapshot.toStore(new Response('body'))).toBeUndefined();
  });
});
