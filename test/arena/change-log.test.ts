import { describe, expect, it } from 'vitest';
import { ChangeLog, type LoggedChange, logHeader } from '../../src/arena/change-log.js';
import { at } from '../../src/arena/layout.js';
import { allocateMembers, Members } from '../../src/arena/members.js';

function newLog(bytes = 2_000) {
  const memory = new SharedArrayBuffer(bytes);
  const members = new Members(allocateMembers());
  const join = () => {
    const heard: string[] = [];
    const told: LoggedChange[] = [];
    const listener = {
      changed: (change: LoggedChange) => {
        told.push(change);
        heard.push(`${change.kind} ${change.name}`);
      },
      lost: () => void heard.push('lost'),
      emptyArena: () => void heard.push('empty'),
    };
    const id = members.join()!;
    return { log: new ChangeLog(memory, { members, id, listener }), heard, told, id };
  };
  return { header: logHeader(memory), join, members };
}

describe('the log of changes', () => {
  it('tells each thread what others have changed, once, and what came before it', () => {
    const { join } = newLog();
    const [one, two] = [join(), join()];
    one.log.append('key', 1, 'k');
    one.log.append('tag', 2, 'täg');
    for (let times = 0; times < 2; times += 1)
      for (const { log } of [one, two]) expect(log.sync()).toBe(true);
    expect(one.heard).toEqual([]);
    expect(two.heard).toEqual(['key k', 'tag täg']);
    expect(two.told[1]).toMatchObject({ stamp: 2, by: one.id });
    const late = join();
    late.log.sync();
    expect(late.heard).toEqual(two.heard);
  });

  it('begins anew when it is full: keeps methods and the latest tags, and folds the oldest into a watermark', () => {
    const { join } = newLog();
    const [writer, idle, keen] = [join(), join(), join()];
    for (const { log } of [idle, keen]) log.sync();
    writer.log.append('method', 1, 'search');
    for (let number = 2; number < 200; number += 1) {
      writer.log.append('tag', number, `tag-${number}`);
      keen.log.sync();
      writer.log.append('key', number, `key-${number}`);
      keen.log.sync();
    }
    // Who has read all in time has lost nothing, and hears nothing twice.
    expect(keen.heard.filter((each) => each.startsWith('tag'))).toEqual(
      Array.from({ length: 198 }, (_, number) => `tag tag-${number + 2}`),
    );
    expect(keen.heard).not.toContain('lost');
    for (const { log, heard, told } of [idle, join()]) {
      log.sync();
      expect(heard).toContain('lost');
      expect(heard).toContain('method search');
      const watermark = told.find(({ kind }) => kind === 'watermark')!.stamp;
      const tags = told.filter(({ kind }) => kind === 'tag').map(({ stamp }) => stamp);
      expect(tags.at(-1)).toBe(199);
      // None is missing between the watermark and the oldest that is told.
      expect(tags).toEqual(Array.from({ length: tags.length }, (_, number) => 200 - tags.length + number));
      expect(watermark).toBeGreaterThanOrEqual(tags[0]! - 1);
    }
  });

  it('has the arena emptied when a change could not be written, or its writer died', () => {
    const { join, header, members } = newLog();
    const [one, two] = [join(), join()];
    for (const { log } of [one, two]) log.sync();
    const holder = members.join()!;
    header[at.lock] = holder;
    one.log.append('tag', 1, 'lost');
    // Until it is known what is outdated, calls go by the arena.
    expect(two.log.sync()).toBe(false);
    header[at.lock] = 0;
    expect(two.log.sync()).toBe(true);
    expect(two.heard).toEqual(['empty', 'lost']);
    expect(one.log.sync()).toBe(true);
    expect(one.heard).toEqual(['lost']);
    one.log.append('tag', 2, 'x'.repeat(1_000));
    expect(two.log.sync()).toBe(true);
    expect(two.heard).toEqual(['empty', 'lost', 'empty', 'lost']);
  });
});
