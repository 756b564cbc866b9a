/** Resources: which names a call has, and which may be the same thing. */

import fc from 'fast-check';
import picomatch from 'picomatch';
import { describe, expect, it } from 'vitest';
import { overlap, ResourceTemplate, resourceOf } from '../../src/tools/resource.js';

const overlaps = (a: string, b: string) => {
  const [first, second] = [resourceOf(a), resourceOf(b)];
  expect(overlap(first, second)).toBe(overlap(second, first));
  return overlap(first, second);
};

describe('overlap', () => {
  it.each([
    ['a', 'a'],
    ['fs:**', 'fs:a/b'],
    ['fs:a/*', 'fs:a/b'],
    ['fs:a/*', 'fs:a'],
    ['fs:a/**', 'fs:a'],
    ['fs:a', 'fs:a/b/c'],
    ['fs:*', 'fs:a/b'],
    ['fs:*/b', 'fs:a/*'],
    ['fs:**/x', 'fs:a/b/x'],
    ['*:a', 'fs:*'],
    ['**', 'anything'],
    ['a*c', 'ab*'],
  ])('of %s and %s', (a, b) => expect(overlaps(a, b)).toBe(true));

  it.each([
    ['a', 'b'],
    ['fs:a', 'fs:ab'],
    ['fs:**', 'db:a'],
    ['fs:a/*', 'fs:b/x'],
    ['fs:a/*', 'fs:ab'],
    ['fs:*/x/y', 'fs:a/z/**'],
    ['a*c', 'b*c'],
    ['user:*', 'users'],
  ])('not of %s and %s', (a, b) => expect(overlaps(a, b)).toBe(false));

  it('is what some name shows that both match, or that lies below a match', () => {
    const name = fc.stringMatching(/^[ab/*]{1,7}$/);
    const texts = (length: number): string[] =>
      length === 0 ? [''] : texts(length - 1).flatMap((text) => ['a', 'b', '/'].map((each) => text + each));
    const all = [0, 1, 2, 3, 4, 5, 6].flatMap(texts);
    const matcher = (pattern: string) => {
      const source = pattern.replace(/\*+/g, (stars) => (stars.length > 1 ? '.*' : '[^/]*'));
      return new RegExp(`^${source}(/.*)?$`);
    };
    fc.assert(
      fc.property(name, name, (a, b) => {
        const [first, second] = [matcher(a), matcher(b)];
        const shown = all.some((text) => first.test(text) && second.test(text));
        // What only longer names would show is not shown here: too much is no harm, too little is.
        if (shown) expect(overlaps(a, b)).toBe(true);
        if (!overlaps(a, b)) expect(shown).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it('takes very long patterns for the same thing, and answers at once', () => {
    const long = (end: string) => `*${'a'.repeat(5000)}${end}*`;
    expect(overlaps(long('b'), long('c'))).toBe(true);
  });
});

describe('slashes at the ends of a name', () => {
  const named = (template: string, input: unknown = {}) =>
    new ResourceTemplate(template, 'reads[0]').nameFor(input)!;

  it.each([
    ['fs:{path}', '/tmp/x', 'fs:/tmp/**'],
    ['fs:{path}', 'tmp/x/', 'fs:/tmp/**'],
    ['fs:{path}', '/tmp/x', 'fs:/tmp'],
    ['fs:{path}', '/tmp', 'fs:/tmp/x'],
    ['fs:{path}/', 'src', 'fs:src/a'],
    ['fs:/{path}', 'src', '/fs:src/a/'],
    ['fs:{path}', 'src/a', 'fs:src/'],
    ['fs:{path}', 'src/a', 'fs:/'],
    ['fs:{path}', 'src/a', 'fs:/**'],
    ['{path}', '/src/a', 'src/'],
    ['fs:{path}', 'C:\\', 'fs:c:/tmp/a'],
    ['fs:{path}', 'C:\\tmp', 'fs:*/tmp'],
    ['fs:{path}', 'C:\\tmp\\a', 'fs:C:/tmp/**'],
  ])('make no difference to whether %s of %s overlaps %s', (template, path, literal) => {
    expect(overlaps(named(template, { path }), named(literal))).toBe(true);
  });

  it.each([
    ['fs:{path}', '/tmp/x', 'fs:/tmpx/**'],
    ['fs:{path}/', 'src', 'fs:srcs'],
    ['fs:{path}', 'src', 'db:/'],
  ])('are no reason for %s of %s to overlap %s', (template, path, literal) => {
    expect(overlaps(named(template, { path }), named(literal))).toBe(false);
  });
});

describe('the name of a resource', () => {
  const nameFor = (template: string, input: unknown) =>
    new ResourceTemplate(template, 'reads[0]').nameFor(input);

  it.each([
    ['flights', {}, 'flights'],
    ['order:{id}', { id: 'W1' }, 'order:w1'],
    ['order:{id}', { id: 7 }, 'order:7'],
    ['order:{id}', { id: 7n }, 'order:7'],
    ['user:{user.id}/{n}', { user: { id: 'Ä' }, n: -0 }, 'user:ä/0'],
    ['fs:{path}', { path: '/tmp/A/' }, 'fs:tmp/a'],
    ['fs:{path}', { path: 'C:\\tmp' }, 'fs:c:tmp'],
    ['fs:{path}', { path: 'ΟΔΟΣ' }, 'fs:οδοσ'],
    ['fs:{path}', { path: 'οδος' }, 'fs:οδοσ'],
    ['fs:{root}{path}', { root: '/tmp/', path: '/a' }, 'fs:tmp/a'],
    ['fs:/{path}/', { path: '/tmp' }, 'fs:tmp'],
    [' /fs: //Src/ ', {}, 'fs:src'],
    ['fs:/', {}, 'fs:**'],
    ['/', {}, '**'],
    ['fs:{path}/**', { path: 'e\u0301' }, 'fs:\u00e9/**'],
    ['fs:{path}', { path: ' .env ' }, 'fs:.env'],
    ['fs:{path}', { path: '...' }, 'fs:...'],
    ['fs:{path}', { path: 'report 1, 100%!.txt' }, 'fs:report 1, 100%!.txt'],
    ['fs:...', {}, 'fs:...'],
    ['fs:.env~', {}, 'fs:.env~'],
  ])('%s of %o is %s', (template, input, name) => expect(nameFor(template, input)).toBe(name));

  it.each([
    [undefined],
    [null],
    ['text'],
    [{}],
    [{ path: undefined }],
    [{ path: 1.5 }],
    [{ path: 1e21 }],
    [{ path: true }],
    [{ path: ['a'] }],
    [{ path: '' }],
    [{ path: '/' }],
    [{ path: '.' }],
    [{ path: 'a/../b' }],
    [{ path: '..\\b' }],
    [{ path: './a' }],
    [{ path: 'a//b' }],
    [{ path: 'a/.' }],
    [{ path: '~/a' }],
    [{ path: '*.ts' }],
    [{ path: '$HOME/a' }],
    [{ path: '$1' }],
    [{ path: '%HOME%/a' }],
    [{ path: 'a%2Fb' }],
    [{ path: 'src/[ab].ts' }],
    [{ path: 'src/{a,b}.ts' }],
    [{ path: '{1..9}' }],
    [{ path: '!(a)' }],
    [{ path: '!a' }],
    [{ path: 'src/(a|b)' }],
    [{ path: 'a|b' }],
    [Object.create({ path: 'a' })],
  ])('is not known from %o', (input) => expect(nameFor('fs:{path}', input)).toBeUndefined());

  it.each([
    ['', 'to be the name of a resource'],
    [7, 'to be the name of a resource'],
    ['a:{}', 'to name an argument in braces'],
    ['a:{b..c}', 'to name an argument in braces'],
    ['a:{b', 'the braces in `reads[0]` to pair off'],
    ['a:b}', 'the braces in `reads[0]` to pair off'],
    ['fs:{a,b}.ts', 'to name an argument in braces'],
    [
      'fs:[ab].ts',
      '`*` and `**` alone stand for other text, got `fs:[ab].ts`: `[` would be nothing but itself',
    ],
    ['fs:?.ts', '`?` would be nothing but itself, so write `*`'],
    ['fs:@(a|b)', '`(` would be nothing but itself'],
    ['fs:../shared', '`..` would be nothing but itself'],
    ['fs:src/./{path}', '`.` would be nothing but itself'],
    ['fs:~/notes', '`~` would be nothing but itself'],
    ['$HOME/{path}', '`$` would be nothing but itself'],
  ])('can not be %o', (template, message) => {
    expect(() => new ResourceTemplate(template, 'reads[0]')).toThrow(message);
  });
});

/** Tools take an argument for a path or for a glob, which shells, picomatch and others read in their own ways. */
describe('globs among arguments', () => {
  const files = ['a', 'b', 'ab', 'a/b', 'b/a', 'a,b', '[ab]', '{a,b}', '(a|b)', '@(a|b)'];
  const dialects = [
    {},
    { dot: true },
    { nobrace: true },
    { noextglob: true },
    { nobrace: true, nobracket: true, noextglob: true },
    { literalBrackets: true, bash: true },
  ];
  /** The files that some tool may find under an argument. */
  const meant = (argument: string) =>
    files.filter(
      (file) => file === argument || dialects.some((options) => picomatch.isMatch(file, argument, options)),
    );
  const template = new ResourceTemplate('fs:{path}', 'reads[0]');
  const argument = fc
    .array(
      fc.constantFrom(
        'a',
        'b',
        ',',
        '[',
        ']',
        '{',
        '}',
        '(',
        ')',
        '|',
        '@',
        '!',
        '+',
        '?',
        '*',
        '^',
        '/',
        '..',
      ),
      {
        minLength: 1,
        maxLength: 7,
      },
    )
    .map((parts) => parts.join(''));

  it('lead to no file that is known by another name', () => {
    let globs = 0;
    const check = (text: string) => {
      const name = template.nameFor({ path: text });
      const found = meant(text).filter((file) => file !== text);
      globs += found.length > 0 && /[[{(|]/.test(text) ? 1 : 0;
      if (name === undefined) return;
      for (const file of found) {
        const other = template.nameFor({ path: file });
        if (other !== undefined) expect(overlaps(name, other), `${text} and ${file}`).toBe(true);
      }
    };
    for (const text of [
      '[ab]',
      '[!b]',
      '{a,b}',
      '{a..b}',
      'a{,b}',
      '@(a|b)',
      '(a|b)',
      '+(a)',
      '!(a)',
      '[[:alpha:]]',
    ])
      check(text);
    fc.assert(fc.property(argument, check), { numRuns: 1500 });
    expect(globs).toBeGreaterThan(20);
  });
});
