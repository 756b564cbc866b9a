/** Colours for a stream: none when it is no terminal, or when `NO_COLOR` says so. */

import { styleText } from 'node:util';

/** A style that the command line uses. One at a time: given several, Node 20 colours pipes too. */
export type Style = Exclude<Parameters<typeof styleText>[0], readonly unknown[]>;

/** Gives a text a style, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/**
 * Node's own rules decide: `NO_COLOR`, `FORCE_COLOR`, and whether the stream is a terminal. Only that an empty `NO_COLOR`
 * counts as none, as no-color.org has it; Node 20 takes it for one.
 */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const { NO_COLOR, ...env } = process.env;
  const hasEmptyNoColor = stream.isTTY && env['FORCE_COLOR'] === undefined && NO_COLOR === '';
  // Two colours are none.
  if (hasEmptyNoColor && stream.getColorDepth(env) > 2) {
    return (style, text) => styleText(style, text, { validateStream: false });
  }
  return (style, text) => styleText(style, text, { stream, validateStream: true });
}

/** Leaves texts as they are. */
export const plainPaint: Paint = (_style, text) => text;
