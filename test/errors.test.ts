import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { isError, messageOf } from '../src/errors.js';
import { hasCode } from '../src/persistence/file-system.js';

it('errors are told by what they are, whichever realm their class is of', () => {
  const foreign: unknown = runInNewContext('Object.assign(new TypeError("no"), { code: "ENOENT" })');
  class WindowException {
    readonly [Symbol.toStringTag] = 'DOMException';
    readonly message = 'aborted';
  }
  for (const error of [new Error('no'), foreign, new DOMException('no'), new WindowException()]) {
    expect(isError(error)).toBe(true);
  }
  for (const other of [undefined, null, 'Error', {}, { message: 'no' }, runInNewContext('({})')]) {
    expect(isError(other)).toBe(false);
  }
  expect(messageOf(foreign)).toBe('no');
  expect(messageOf(7)).toBe('7');
  expect(hasCode(foreign, 'EEXIST', 'ENOENT')).toBe(true);
  expect(hasCode(foreign, 'EEXIST')).toBe(false);
});
