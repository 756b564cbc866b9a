/** Warnings about the tools of a cache, each given once however many agents and clients share it. */

const said = new WeakMap<object, Set<string>>();

/** Warns of something, unless that was said for this cache before. */
export function warnOnce(cache: object, message: string, code: string): void {
  const known = said.get(cache) ?? new Set();
  said.set(cache, known);
  if (known.has(message)) return;
  known.add(message);
  process.emitWarning(message, { type: 'ToolstashWarning', code });
}
