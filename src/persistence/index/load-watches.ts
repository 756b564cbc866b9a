/**
 * Loads under way, and what other processes change of what they load. A change that arrives during a load supersedes
 * it, whatever the stamps say: the tool may have answered before the change was made.
 */

import { compareStamps, type Stamp } from '../../stamp.js';
import { type ChangeListener, type Changes, type ChangeWatch, isOwnPast, withChange } from '../changes.js';
import { keyOfWords, wordsOfKey } from '../format/header-entries.js';

import { entryKind } from '../format/member-header.js';
import { hashMethod } from '../format/partition-name.js';
import { clearAllKey, hashTag } from '../format/tombstone.js';

/** What an index tells of what it knows. */
interface KnownStamps {
  stampOf(key: string): Stamp | undefined;
  isCleared(methodHash: string | undefined, stamp: Stamp): boolean;
  isTagInvalid(tagHash: string, stamp: Stamp): boolean;
}

interface Watch {
  readonly words: Uint32Array;
  readonly methodHash: string;
  readonly onChange: ChangeListener;
  /** Tags that were invalidated meanwhile, as headers carry them. */
  tags: Map<string, Changes> | undefined;
}

export class LoadWatches {
  /** By the first word of their keys. */
  readonly #byWord = new Map<number, Set<Watch>>();

  /** Whether the folder has been read once: what lies there then is no change, and is told by its stamp. */
  isFolderKnown = false;
  /** While the folder is read anew, the index as it was before: what that knows is no change. */
  known: KnownStamps | undefined;

  /** Whether anybody has to hear of changes. */
  get isListening(): boolean {
    return this.isFolderKnown && this.#byWord.size > 0;
  }

  watch(load: { readonly key: string; readonly method: string }, onChange: ChangeListener): ChangeWatch {
    const { key, method } = load;
    const words = wordsOfKey(key, new Uint32Array(4));
    const watch: Watch = { words, methodHash: hashMethod(method), onChange, tags: undefined };
    const word = words[0]!;
    const watches = this.#byWord.get(word) ?? new Set();
    this.#byWord.set(word, watches.add(watch));
    return {
      isInvalidated: (tags, began) =>
        tags?.some((tag) => {
          const changes = watch.tags?.get(hashTag(tag));
          return changes !== undefined && !(began && isOwnPast(changes, began));
        }) ?? false,
      end: () => {
        watches.delete(watch);
        if (watches.size === 0 && this.#byWord.get(word) === watches) this.#byWord.delete(word);
      },
    };
  }

  /** The key whose four words start at `at` was changed by another process. */
  noteKey(words: Uint32Array, at: number, stamp: Stamp): void {
    const watches = this.#byWord.get(words[at]!);
    if (watches === undefined) return;
    const known = this.known?.stampOf(keyOfWords(words, at));
    if (known !== undefined && compareStamps(known, stamp) >= 0) return;
    for (const watch of watches) {
      if (watch.words.every((word, number) => word === words[at + number])) watch.onChange('key', stamp);
    }
  }

  /** Another process has cleared a method, or all, or invalidated a tag. */
  noteTombstone(kind: number, key: string, stamp: Stamp): void {
    if (this.known !== undefined && knowsTombstone(this.known, kind, key, stamp)) return;
    for (const watches of this.#byWord.values()) {
      for (const watch of watches) {
        if (kind === entryKind.invalidateTag) noteTag(watch, key, stamp);
        else if (kind === entryKind.clearMethod ? key === watch.methodHash : key === clearAllKey)
          watch.onChange('key', stamp);
      }
    }
  }
}

/** Tags that one load tells apart: it ends soon, or is not worth storing. */
const maxTags = 1_000;

function noteTag(watch: Watch, tag: string, stamp: Stamp): void {
  watch.tags ??= new Map();
  watch.tags.set(tag, withChange(watch.tags.get(tag), stamp));
  watch.onChange(watch.tags.size > maxTags ? 'key' : 'tag', stamp);
}

function knowsTombstone(index: KnownStamps, kind: number, key: string, stamp: Stamp): boolean {
  if (kind === entryKind.invalidateTag) return index.isTagInvalid(key, stamp);
  return index.isCleared(kind === entryKind.clearMethod ? key : undefined, stamp);
}
