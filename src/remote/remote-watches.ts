/** Loads under way, and what other machines change of what they load. */

import type { LoadWatch, LoadWatchListener, RemoteChange, TierRecord } from '../tier.js';

interface Watch extends Pick<TierRecord, 'key' | 'method'> {
  readonly onChange: LoadWatchListener;
  /** Tags that were invalidated meanwhile. */
  tags: Set<string> | undefined;
}

/** Tags that one load tells apart: it ends soon, or is not worth storing. */
const maxTags = 1_000;

export class RemoteWatches {
  readonly #byKey = new Map<string, Set<Watch>>();

  watch({ key, method }: Pick<TierRecord, 'key' | 'method'>, onChange: LoadWatchListener): LoadWatch {
    const watch: Watch = { key, method, onChange, tags: undefined };
    const watches = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, watches.add(watch));
    return {
      isInvalidated: (tags) => tags?.some((tag) => watch.tags?.has(tag)) ?? false,
      end: () => {
        watches.delete(watch);
        if (watches.size === 0 && this.#byKey.get(key) === watches) this.#byKey.delete(key);
      },
    };
  }

  hear(change: RemoteChange): void {
    if (change.kind === 'key') {
      for (const { onChange } of [...(this.#byKey.get(change.key) ?? [])]) onChange('key');
      return;
    }
    for (const watches of [...this.#byKey.values()]) for (const watch of [...watches]) tell(watch, change);
  }
}

function tell(watch: Watch, change: Exclude<RemoteChange, { kind: 'key' }>): void {
  if (change.kind === 'tag') {
    watch.tags ??= new Set();
    watch.tags.add(change.tag);
    watch.onChange(watch.tags.size > maxTags ? 'key' : 'tag');
  } else if (change.kind === 'unknown' || (change.method ?? watch.method) === watch.method) {
    watch.onChange('key');
  }
}
