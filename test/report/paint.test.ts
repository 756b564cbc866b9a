import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';
import { afterEach, expect, test } from 'vitest';
import { paintFor } from '../../src/report/paint.js';

/** A terminal by its own word, with the real rules for colours. */
function terminal(): NodeJS.WriteStream {
  const { getColorDepth, hasColors } = WriteStream.prototype;
  return Object.assign(new PassThrough(), {
    isTTY: true,
    getColorDepth,
    hasColors,
  }) as unknown as NodeJS.WriteStream;
}

const ownEnv = process.env;

/** No other variables: those of a CI service, a multiplexer or a Windows console have a word in colours too. */
function onlyEnv(env: Record<string, string>): void {
  process.env = env;
}

afterEach(() => {
  process.env = ownEnv;
});

test.each([
  [undefined, true],
  ['', true],
  ['1', false],
  ['0', false],
])('NO_COLOR=%o on a terminal', (value, isColoured) => {
  onlyEnv({ TERM: 'xterm-256color', ...(value !== undefined && { NO_COLOR: value }) });
  expect(paintFor(terminal())('red', 'x')).toBe(isColoured ? '\u{1b}[31mx\u{1b}[39m' : 'x');
});

test('a dumb terminal and a pipe get no colours, whatever NO_COLOR is', () => {
  onlyEnv({ NO_COLOR: '', TERM: 'dumb' });
  expect(paintFor(terminal())('red', 'x')).toBe('x');
  onlyEnv({ NO_COLOR: '', TERM: 'xterm-256color' });
  expect(paintFor(new PassThrough() as unknown as NodeJS.WriteStream)('red', 'x')).toBe('x');
});
