import { readFileSync } from 'node:fs';
import { isNativeError } from 'node:util/types';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { errorTtl, KeptError } from '../../src/guard/error-cache.js';

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

const copyOf = <E>(error: E) => new KeptError(error).copy() as E;

describe('KeptError', () => {
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
    const kept = new KeptError(error);
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

describe('errorTtl', () => {
  const error = new ToolError('failed', 404);

  it('is what the policy says for this error', () => {
    expect(errorTtl(error, (given) => (given === error ? '5s' : false))).toBe(5000);
    expect(errorTtl(error, () => 250)).toBe(250);
    expect(errorTtl(error, () => false)).toBe(0);
  });

  it('refuses what is no duration', () => {
    expect(() => errorTtl(error, () => undefined as unknown as false)).toThrow(/Expected `cacheErrors\(\)`/);
  });
});
