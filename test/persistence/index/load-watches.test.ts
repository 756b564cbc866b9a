import { describe, expect, it } from 'vitest';
import { wordsOfKey } from '../../../src/persistence/format/header-entries.js';

import { entryKind } from '../../../src/persistence/format/member-header.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { clearAllKey, hashTag } from '../../../src/persistence/format/tombstone.js';
import { LoadWatches } from '../../../src/persistence/index/load-watches.js';

const key = 'a1'.repeat(16);
const stamp = { time: 1, writer: 'a'.repeat(16) };
const words = (text: string) => wordsOfKey(text, new Uint32Array(4));

function makeWatch() {
  const watches = new LoadWatches();
  const heard: string[] = [];
  const watch = watches.watch({ key, method: 'search' }, (change) => heard.push(change));
  return { watches, watch, heard };
}

describe('the watch over a load', () => {
  it('tells of its own key alone', () => {
    const { watches, heard } = makeWatch();
    watches.noteKey(words(`${'a1'.repeat(15)}b2`), 0, stamp);
    watches.noteKey(words('b2'.repeat(16)), 0, stamp);
    expect(heard).toEqual([]);
    watches.noteKey(words(key), 0, stamp);
    expect(heard).toEqual(['key']);
  });

  it('tells of its own method and of all', () => {
    const { watches, heard } = makeWatch();
    watches.noteTombstone(entryKind.clearMethod, hashMethod('other'), stamp);
    watches.noteTombstone(entryKind.clearAll, key, stamp);
    expect(heard).toEqual([]);
    watches.noteTombstone(entryKind.clearMethod, hashMethod('search'), stamp);
    watches.noteTombstone(entryKind.clearAll, clearAllKey, stamp);
    expect(heard).toEqual(['key', 'key']);
  });

  it('knows tags that were invalidated, and gives a load up that sees too many', () => {
    const { watches, watch, heard } = makeWatch();
    watches.noteTombstone(entryKind.invalidateTag, hashTag('a'), stamp);
    expect(watch.isInvalidated(['b', 'a'])).toBe(true);
    expect(watch.isInvalidated(['b'])).toBe(false);
    expect(watch.isInvalidated(undefined)).toBe(false);
    expect(heard).toEqual(['tag']);
    for (let tag = 0; tag < 1_000; tag += 1)
      watches.noteTombstone(entryKind.invalidateTag, hashTag(`tag ${tag}`), stamp);
    expect(heard.at(-1)).toBe('key');
  });

  it('leaves out what the process that loads had invalidated itself before its load, and nothing else', () => {
    const { watches, watch } = makeWatch();
    const of = (time: number, letter: string) => ({ time, writer: letter.repeat(16) });
    const note = (tag: string, by: typeof stamp) =>
      watches.noteTombstone(entryKind.invalidateTag, hashTag(tag), by);
    note('past', of(3, 'a'));
    note('past', of(2, 'a'));
    note('later', of(6, 'a'));
    note('later', of(2, 'a'));
    note('of another', of(1, 'b'));
    note('of several', of(1, 'a'));
    note('of several', of(1, 'b'));
    note('of several', of(2, 'a'));
    const tags = ['past', 'later', 'of another', 'of several'];
    const invalid = (began: typeof stamp) => tags.filter((tag) => watch.isInvalidated([tag], began));
    expect(invalid(of(5, 'a'))).toEqual(['later', 'of another', 'of several']);
    expect(invalid(of(7, 'a'))).toEqual(['of another', 'of several']);
    expect(invalid(of(3, 'a'))).toEqual(tags);
    expect(tags.every((tag) => watch.isInvalidated([tag]))).toBe(true);
  });

  it('ends', () => {
    const { watches, watch, heard } = makeWatch();
    const other = watches.watch({ key, method: 'search' }, () => heard.push('other'));
    watch.end();
    watches.noteKey(words(key), 0, stamp);
    expect(heard).toEqual(['other']);
    expect(watches.isListening).toBe(false);
    watches.isFolderKnown = true;
    expect(watches.isListening).toBe(true);
    other.end();
    expect(watches.isListening).toBe(false);
  });
});
