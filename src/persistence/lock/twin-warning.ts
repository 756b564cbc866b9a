/** Two caches of one process want one folder, mostly because a module was evaluated again. */

const warned = new Set<string>();

/** What to do about it; a process warning says so too, once a folder, as the second cache works on without its disk. */
export function warnedOfTwin(folder: string): string {
  const message =
    `${folder} is taken by another cache of this process: make one and share it, or close the first. Where a module is ` +
    'evaluated again (hot reloading, test runners), keep the cache beyond it, ' +
    '`globalThis.toolCache ??= new CacheManager(…)`, or close it there: `import.meta.hot?.dispose(() => cache.close())`';
  if (!warned.has(folder)) {
    warned.add(folder);
    const warning = `${message}. Until then what this cache is given is not kept on disk`;
    process.emitWarning(warning, { type: 'ToolstashWarning', code: 'TOOLSTASH_FOLDER_TAKEN' });
  }
  return message;
}
