/**
 * Faults, each of which takes away one of the things that keep machines from wrong answers and from waiting, and what shows them: a
 * directed test, which CI runs without the fault, and most of them a chaos run too. The others are met too rarely in it (a gap in
 * messages), cost another load and no answer (a turn that is given back without its token), or are made good by other guards (that
 * a message supersedes loads).
 */

import type { Mutation } from '../../helper/child-process.js';

export interface Mutant {
  readonly what: string;
  /** With the other guards that would make it good. */
  readonly changes: readonly [Mutation, ...Mutation[]];
  /** How it shows in a chaos run: by wrong answers and a cache that is of no use any more, or by calls that take too long. */
  readonly chaos?: 'wrong' | 'slow';
  /** What fails: a file in `test/remote`, and the name of a test of it. */
  readonly directed: readonly [file: string, test: string];
}

export const mutants: readonly Mutant[] = [
  {
    what: 'a load is stored whatever was written or deleted meanwhile',
    changes: [
      {
        file: 'remote/redis-scripts.ts',
        from: /if not isToken\(head, ARGV\[4\]\) then return \{'refused'\} end/,
        to: '',
      },
    ],
    chaos: 'wrong',
    directed: ['redis-guards.slow.test.ts', 'stores nothing over what another machine sets meanwhile'],
  },
  {
    what: 'a load is stored where its key was deleted, evicted or emptied meanwhile: missing counts as unchanged',
    changes: [
      {
        file: 'remote/redis-scripts.ts',
        from: /if not isToken\(head, ARGV\[4\]\) then return \{'refused'\} end/,
        to: "if #head > 0 and not isToken(head, ARGV[4]) then return {'refused'} end",
      },
    ],
    chaos: 'wrong',
    directed: ['redis-guards.slow.test.ts', 'stores nothing over what another machine deletes meanwhile'],
  },
  {
    what: 'messages that were missed are not read from the log',
    changes: [
      {
        file: 'remote/redis-space.ts',
        from: /this\.#fillGap\(\[message\]\);/,
        to: 'this.#cursor = { ...cursor, id }; this.#apply(payload);',
      },
    ],
    directed: [
      'redis-guards.slow.test.ts',
      'reads from the log what no message has said, once the next one comes',
    ],
  },
  {
    what: 'calls have no deadline',
    changes: [{ file: 'remote/call-deadlines.ts', from: /performance\.now\(\) \+ this\.#ms/, to: '2 ** 30' }],
    chaos: 'slow',
    directed: ['redis-outages.slow.test.ts', 'is frozen, a call pays the deadline once'],
  },
  {
    what: 'a message supersedes no load under way',
    changes: [
      { file: 'manager/cache-context.ts', from: /this\.loads\.supersede\(change\.key\);/, to: '' },
      { file: 'remote/redis-tier.ts', from: /this\.#watches\.hear\(change\);/, to: '' },
    ],
    directed: ['redis-guards.slow.test.ts', 'keeps nothing of a load without a lease'],
  },
  {
    what: 'the disk does not hear of changes',
    changes: [
      {
        file: 'manager/tiers/shared-entries.ts',
        from: /tier\.delete\(key, method, deleted\)/,
        to: 'void tier',
      },
    ],
    chaos: 'wrong',
    directed: ['redis-guards.slow.test.ts', 'answers nothing from disk that another machine has changed'],
  },
  {
    what: 'an epoch is not looked at, and an older snapshot not noticed',
    changes: [
      {
        file: 'remote/redis-scripts.ts',
        from: /if lacks\(.*then isWhole = false\s+elseif isKnown/,
        to: 'if isKnown',
      },
    ],
    chaos: 'wrong',
    directed: [
      'redis-outages.slow.test.ts',
      'comes back with an older snapshot, nobody trusts what it holds',
    ],
  },
  {
    what: 'changes that could not be sent are dropped',
    changes: [
      {
        file: 'remote/redis-changes.ts',
        from: /const all = this\.#outbox\.all\(\);/,
        to: 'const all = this.#outbox.all(); for (const each of all) this.#outbox.acknowledge(each); all.length = 0;',
      },
    ],
    chaos: 'wrong',
    directed: [
      'redis-outages.slow.test.ts',
      'is away, deletions wait, and reach the others before anything is read',
    ],
  },
  {
    what: 'a turn is given back whoever has it',
    changes: [
      {
        file: 'remote/redis-scripts.ts',
        from: /if not isToken\(head, ARGV\[4\]\) then\n {2}at = KEYS\[4\]/,
        to: 'if false then\n  at = KEYS[4]',
      },
    ],
    directed: ['redis-guards.slow.test.ts', 'gives back no turn that another machine has by then'],
  },
  {
    what: 'what happened before a connection, or while a folder was away, is not read',
    changes: [
      {
        file: 'remote/redis-space.ts',
        from: /epoch: known!\.epoch, id: known!\.id, run/,
        to: 'epoch: known!.epoch, id: last!, run',
      },
    ],
    chaos: 'wrong',
    directed: ['redis-folder.slow.test.ts', 'whose log is whole, answers nothing that was changed meanwhile'],
  },
  {
    what: 'entries are answered however long nothing was heard',
    changes: [
      {
        file: 'remote/redis-tier.ts',
        from: /if \(this\.#link\.contactAt >= since\) return true;/,
        to: 'return true;',
      },
    ],
    chaos: 'wrong',
    directed: ['redis-outages.slow.test.ts', 'swallows everything, as behind a black hole'],
  },
  {
    what: 'a connection that was lost is never made again',
    changes: [
      {
        file: 'remote/redis-link.ts',
        from: /this\.#retry = systemClock\.schedule\(\(\) => void this\.#connect\(\), delay\);/,
        to: 'void delay;',
      },
    ],
    chaos: 'wrong',
    directed: ['redis-outages.slow.test.ts', 'refuses connections, calls go on to the tool'],
  },
];
