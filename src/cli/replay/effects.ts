/** Which tools of a trace may be cached: those that only read, told apart by globs on their names. */

import picomatch from 'picomatch';
import { UsageError } from '../usage-error.js';

/** What a tool does to the world: only a `read` may be cached. */
export type Effect = 'read' | 'write';

/** What the user said about the tools' effects. */
export interface EffectGlobs {
  /** Names of tools that change something. */
  readonly writes: readonly string[];
  /** Names of tools that only read; with none given, all that don't match `writes`. */
  readonly readOnly: readonly string[];
}

/** Tells a tool's effect by its name. A tool that both lists claim is a write: a wrong hit is worse than a miss. */
export function effectByName(globs: EffectGlobs): (tool: string) => Effect {
  const isWrite = matcher(globs.writes);
  const isRead = globs.readOnly.length === 0 ? () => true : matcher(globs.readOnly);
  return (tool) => (!isWrite(tool) && isRead(tool) ? 'read' : 'write');
}

/** The globs that match none of the tools: most likely misspelt. */
export function unmatchedGlobs(globs: EffectGlobs, tools: Iterable<string>): string[] {
  const names = [...tools];
  return [...globs.writes, ...globs.readOnly].filter((glob) => !names.some(matcher([glob])));
}

/** Splits `book_*,{get,list}_user` at the commas outside braces. */
export function splitGlobs(text: string): string[] {
  const globs = text
    .split(/,(?![^{]*\})/)
    .map((glob) => glob.trim())
    .filter((glob) => glob !== '');
  const long = globs.find((glob) => glob.length > longestGlob);
  if (long === undefined) return globs;
  throw new UsageError(
    `Expected globs of at most ${longestGlob} characters, got one of ${long.length}: put commas between them`,
  );
}

/** picomatch takes no longer ones. */
const longestGlob = 65_536;

/** Tool names are no paths: `*` matches dots and slashes too. */
function matcher(globs: readonly string[]): (tool: string) => boolean {
  return globs.length === 0 ? () => false : picomatch([...globs], { bash: true, dot: true });
}
