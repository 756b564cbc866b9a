/** Colours for a stream: none when it is no terminal, or when `NO_COLOR` is set. */

import { styleText } from 'node:util';

/** A style that the command line uses. One at a time: given several, Node 20 colours pipes too. */
export type Style = Exclude<Parameters<typeof styleText>[0], readonly unknown[]>;

/** Gives a text a style, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Node's own rules decide: `NO_COLOR`, `FORCE_COLOR`, and whether the stream is a terminal. */
export function paintFor(stream: NodeJS.WritableStream): Paint {
  return (style, text) => styleText(style, text, { stream, validateStream: true });
}

/** Leaves texts as they are. */
export const plainPaint: Paint = (_style, text) => text;
