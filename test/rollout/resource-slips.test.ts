import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EffectDeclarations, ToolEffects } from '../../src/rollout/index.js';

const warnings: string[] = [];

beforeEach(() => {
  warnings.length = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const declared = (read: string, written: string): EffectDeclarations => ({
  get: { reads: [read] },
  cancel: { reads: [read], writes: [written] },
});

describe('a resource that is written', () => {
  it.each([
    ['many for one', 'booking:{id}', 'bookings:{id}'],
    ['one for many', 'orders', 'order:{id}'],
    ['a slip of the keys', 'ticket:{id}', 'tciket:{id}'],
    ['another separator', 'flight:{id}', 'flight/{id}'],
    ['a separator left out', 'basket:{id}', 'basket'],
  ])('and read by nearly its name is one warning: %s', (_, read, written) => {
    new ToolEffects(declared(read, written));
    new ToolEffects(declared(read, written));
    expect(warnings).toEqual([expect.stringMatching(/is written, and .* read, which are two.*one name/)]);
    expect(warnings[0]).toContain(`\`${written}\` is written, and \`${read}\` read`);
  });

  it.each([
    ['that one is read by its own name', 'flight:{id}', 'Flight:{flight_id}'],
    ['that a pattern covers', 'files:**', 'files:{path}'],
    ['of another name', 'user:{id}', 'user_sessions:{id}'],
    ['in another place', 'fs:src', 'fs:test'],
    ['of a short name', 'car', 'cat'],
    ['that may be everything', '**', 'anything:{id}'],
  ])('is none: %s', (_, read, written) => {
    new ToolEffects(declared(read, written));
    expect(warnings).toEqual([]);
  });

  it('is none where each is read and written', () => {
    new ToolEffects({
      ...declared('city:{id}', 'city:{id}'),
      find: { reads: ['cite:{id}'] },
      note: { writes: ['cite:{id}'] },
    });
    new ToolEffects({ list: { reads: ['items', 'item:**'] }, buy: { writes: ['items', 'item:{id}'] } });
    expect(warnings).toEqual([]);
  });

  it('is none in the example of an airline', () => {
    const file = new URL('../../examples/effects/airline.json', import.meta.url);
    new ToolEffects((JSON.parse(readFileSync(file, 'utf8')) as { tools: EffectDeclarations }).tools);
    expect(warnings).toEqual([]);
  });
});
