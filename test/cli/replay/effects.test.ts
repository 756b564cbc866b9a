import { describe, expect, test } from 'vitest';
import { effectByName, splitGlobs, unmatchedGlobs } from '../../../src/cli/replay/effects.js';

describe('the effect of a tool', () => {
  test('without any word on it, all tools read', () => {
    expect(effectByName({ writes: [], readOnly: [] })('delete_all')).toBe('read');
  });

  test('those named as writes write, the others read', () => {
    const effectOf = effectByName({ writes: ['book_*', 'send_mail'], readOnly: [] });
    expect(['book_flight', 'send_mail', 'send_mails', 'rebook_flight'].map(effectOf)).toEqual([
      'write',
      'write',
      'read',
      'read',
    ]);
  });

  test('with a list of read-only tools, all others write', () => {
    const effectOf = effectByName({ writes: [], readOnly: ['get_*'] });
    expect(['get_user', 'find_user'].map(effectOf)).toEqual(['read', 'write']);
  });

  test('a tool on both lists writes', () => {
    expect(effectByName({ writes: ['*_user'], readOnly: ['get_*'] })('get_user')).toBe('write');
  });

  test('names are no paths: a star matches slashes, dots and leading dots', () => {
    const effectOf = effectByName({ writes: ['*delete*'], readOnly: [] });
    expect(['fs/delete', 'fs.delete.all', '.delete'].map(effectOf)).toEqual(['write', 'write', 'write']);
  });
});

test('lists are split at commas, but not inside braces', () => {
  expect(splitGlobs('book_*, {get,list}_user ,,send')).toEqual(['book_*', '{get,list}_user', 'send']);
});

test('globs that match nothing are found out', () => {
  expect(
    unmatchedGlobs({ writes: ['book_*', 'bok_*'], readOnly: ['get_*'] }, ['book_flight', 'get_user']),
  ).toEqual(['bok_*']);
});
