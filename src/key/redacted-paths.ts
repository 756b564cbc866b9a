/** Paths to arguments that are kept nowhere: secrets. */

import { type IgnoredPath, segmentsOf } from './ignored-path.js';

/** Whether a path was looked for, and whether it has led anywhere. */
interface PathUse {
  readonly path: string;
  isAsked: boolean;
  isMatched: boolean;
}

/** What is left of a path below one object or list. A `*` stands for any one key, `**` for any number of them. */
interface RedactedPath {
  readonly rest: readonly string[];
  readonly use: PathUse;
}

export type RedactedPaths = readonly RedactedPath[];

/** The paths of a cache's methods, and which of them have led nowhere. */
export class Redactions {
  readonly #uses = new Map<string, PathUse>();

  /** All paths, or `undefined` when there are none. Names count whatever their case, as those of HTTP headers do. */
  paths(paths: readonly IgnoredPath[]): RedactedPaths | undefined {
    if (paths.length === 0) return undefined;
    return paths.map((path) => {
      const rest = segmentsOf(path).map((segment) => segment.toLowerCase());
      const text = JSON.stringify(rest);
      const shown = typeof path === 'string' ? path : JSON.stringify(path);
      const use = this.#uses.get(text) ?? { path: shown, isAsked: false, isMatched: false };
      this.#uses.set(text, use);
      return { rest, use };
    });
  }

  /**
   * The paths that matched nothing in any call, of those that were looked for; not those that begin with `**`, which stand
   * for what may come.
   */
  unmatched(): string[] {
    const uses = [...this.#uses].filter(([text]) => !text.startsWith('["**"'));
    return uses.flatMap(([, { path, isAsked, isMatched }]) => (isAsked && !isMatched ? [path] : []));
  }
}

/** What is redacted below a member: `true` is the member itself, `undefined` nothing. */
export function redactedBelow(
  paths: RedactedPaths | undefined,
  key: string,
): RedactedPaths | true | undefined {
  if (paths === undefined) return undefined;
  const name = key.toLowerCase();
  const below: RedactedPath[] = [];
  let isRedacted = false;
  for (const { rest, use } of paths) {
    use.isAsked = true;
    if (!follow(rest, name, (left) => below.push({ rest: left, use }))) continue;
    use.isMatched = true;
    isRedacted = true;
  }
  if (isRedacted) return true;
  return below.length === 0 ? undefined : below;
}

/** Tells what is left of a path behind a member; whether it leads to that member. */
function follow(path: readonly string[], name: string, leaves: (left: readonly string[]) => void): boolean {
  const [first, ...rest] = path;
  if (first === '**') {
    leaves(path);
    // It may stand for none.
    return rest.length === 0 || follow(rest, name, leaves);
  }
  if (first !== '*' && first !== name) return false;
  if (rest.every((segment) => segment === '**')) return true;
  leaves(rest);
  return false;
}

const told = new Set<string>();

/** Warns of paths that have hidden nothing, once of each list of them. */
export function warnOfUnmatched(redactions: Redactions): void {
  const paths = redactions.unmatched();
  const listed = paths.map((path) => `\`${path}\``).join(', ');
  if (paths.length === 0 || told.has(listed)) return;
  told.add(listed);
  process.emitWarning(
    `\`redact\` hides nothing by ${listed}, which led nowhere in any call whose params were kept: look at what the params ` +
      'are (those of an MCP tool have its arguments under `arguments`), or begin with `**.` where it may be at any depth',
    { type: 'ToolstashWarning', code: 'TOOLSTASH_UNMATCHED_REDACT' },
  );
}
