/**
 * Random programs of rollouts against what direct execution would have answered; and that each of the rules which keep their
 * answers right is needed: without it the same programs find a wrong answer.
 */

import { describe, expect, it } from 'vitest';
import * as index from '../../src/index.js';
import * as rollout from '../../src/rollout/index.js';
import { seededRandom } from '../guard/seeded-random.js';
import { buildRollouts, type Mutation } from '../helper/mutant.js';
import { runProgram } from './model.js';

const programs = Number(process.env['TOOLSTASH_PROGRAMS'] ?? 150);
/** So many find every mutant, several times over. */
const programsForMutants = 400;

it(`answers ${programs} random programs as direct execution would`, async () => {
  let [answered, reads, writes, failures] = [0, 0, 0, 0];
  for (let seed = 1; seed <= programs; seed++) {
    const outcome = await runProgram({ ...index, ...rollout }, seededRandom(seed));
    expect(outcome.wrong, `seed ${seed}`).toEqual([]);
    answered += outcome.answered;
    reads += outcome.reads;
    writes += outcome.writes;
    failures += outcome.failures;
  }
  // Without answers from the cache, writes and failures there is nothing to be wrong about.
  expect(answered).toBeGreaterThan(reads / 10);
  expect(writes).toBeGreaterThan(programs);
  expect(failures).toBeGreaterThan(programs);
}, 3_600_000);

const mutants: readonly (readonly [seed: number, rule: string, mutation: Mutation])[] = [
  [
    2,
    '1: a write extends the chain of what it writes',
    { file: 'rollout/write.ts', from: 'history.append(write.writes, digest);', to: '' },
  ],
  [
    105,
    '1: by its input',
    { file: 'rollout/write.ts', from: 'write.digest, state, resultDigest]', to: 'state, resultDigest]' },
  ],
  [
    195,
    '1: by the chains of what it reads',
    {
      file: 'rollout/write.ts',
      from: 'write.digest, state, resultDigest]',
      to: 'write.digest, resultDigest]',
    },
  ],
  [
    18,
    '1: by its result',
    { file: 'rollout/write.ts', from: 'write.digest, state, resultDigest]', to: 'write.digest, state]' },
  ],
  [
    394,
    '1: over what came before',
    { file: 'rollout/history.ts', from: 'tracked.chain + digest', to: 'digest' },
  ],
  [
    12,
    '1: also of what is asked for later',
    {
      file: 'rollout/history.ts',
      from: 'for (const change of this.#changes) extend(tracked, change);',
      to: '',
    },
  ],
  [
    1,
    '1: patterns overlap',
    {
      file: 'tools/resource.ts',
      from: 'if (a.name === b.name) return true;',
      to: 'return a.name === b.name;',
    },
  ],
  [
    1,
    '2: reads wait',
    {
      file: 'rollout/rollout.ts',
      from: 'let write = this.#turns.writeOn(resources);',
      to: 'let write = [this.#turns.writeOn(resources)][1];',
    },
  ],
  [
    240,
    '2: writes wait',
    {
      file: 'rollout/turns.ts',
      from: 'for (const turn of this.#before) await orAbort(turn.ended, signal);',
      to: '',
    },
  ],
  [
    26,
    '2: what was read meanwhile is kept for nobody',
    { file: 'rollout/turns.ts', from: 'if (touch(this.#begun[at]!, resources)) return true;', to: '' },
  ],
  [
    19,
    '3: an error',
    {
      file: 'rollout/write.ts',
      from: 'history.appendUnknown(writes);\n    if (this.#isSettled) {',
      to: 'if (this.#isSettled) {',
    },
  ],
  [
    133,
    '3: an abort, a time-out',
    { file: 'rollout/write.ts', from: 'this.#turn.abandon();', to: 'this.#turn.leave();' },
  ],
  [
    133,
    '3: until the tool has settled',
    { file: 'rollout/rollout.ts', from: 'if (this.#turns.isUnsettled(resources))', to: 'if (false)' },
  ],
  [
    1,
    '4: a tool that reads and writes counts as both',
    {
      file: 'rollout/rollout.ts',
      from: 'if (effect.writes.length > 0)',
      to: 'if (effect.writes.length > 0 && effect.reads.length === 0)',
    },
  ],
  [
    4,
    '5: odd paths',
    { file: 'tools/resource.ts', from: 'if (leadsElsewhere.test(text)) return undefined;', to: '' },
  ],
  [
    34,
    '5: a missing argument',
    {
      file: 'tools/resource.ts',
      from: "if (typeof value !== 'string') return undefined;",
      to: "if (typeof value !== 'string') return String(value);",
    },
  ],
  [
    6,
    '5: a write of them makes all void',
    {
      file: 'rollout/write.ts',
      from: 'writes: [history.resource(everything)], digest: undefined }',
      to: 'writes: [], digest: undefined }',
    },
  ],
  [
    1,
    'undeclared tools make all void',
    {
      file: 'tools/effect.ts',
      from: 'export const undeclared: ResolvedEffect = { ...write, isDeclared: false };',
      to: "export const undeclared: ResolvedEffect = { kind: 'opaque' };",
    },
  ],
];

/** The seed finds the mutant; should the programs of seeds become others, a further one does. */
describe('a rule dropped is noticed:', () => {
  it.each(mutants)('by program %i, rule %s', async (first, _rule, mutation) => {
    const library = await buildRollouts(mutation);
    for (let seed = first; seed < first + programsForMutants; seed++) {
      const { wrong } = await runProgram(library, seededRandom(seed));
      if (wrong.length > 0) return;
    }
    throw new Error(`${programsForMutants} programs notice nothing`);
  });
});
