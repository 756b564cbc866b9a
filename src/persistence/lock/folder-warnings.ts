/** Process warnings that a cache works on without its folder, each once a folder. */

import type { CacheError } from '../../errors.js';

const warned = new Set<string>();

/**
 * What to do where two caches of one process want one folder, mostly because a module was evaluated again; a process
 * warning says so too, as the second cache works on without its disk.
 */
export function warnedOfTwin(folder: string): string {
  const message =
    `${folder} is taken by another cache of this process: make one and share it, or close the first. Where a module is ` +
    'evaluated again (hot reloading, test runners), keep the cache beyond it, ' +
    '`globalThis.toolCache ??= new CacheManager(…)`, or close it there: `import.meta.hot?.dispose(() => cache.close())`';
  warn(folder, message, 'TOOLSTASH_FOLDER_TAKEN');
  return message;
}

/** Says that a folder could not be opened, where nobody else would hear of it. */
export function warnOfUnopened(folder: string, { code, message }: CacheError): void {
  const isTaken = code === 'ERR_DIRECTORY_TAKEN';
  warn(folder, message, isTaken ? 'TOOLSTASH_FOLDER_TAKEN' : 'TOOLSTASH_FOLDER_UNOPENED');
}

function warn(folder: string, message: string, code: string): void {
  if (warned.has(folder)) return;
  warned.add(folder);
  const warning = `${message}. Until then what this cache is given is not kept on disk`;
  process.emitWarning(warning, { type: 'ToolstashWarning', code });
}
