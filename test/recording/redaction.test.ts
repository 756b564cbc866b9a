/** What is redacted reaches no file, in none of its forms. */

import { describe, expect, it } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { exportFiles } from '../../src/persistence/offline/inspection.js';
import { Rollout } from '../../src/rollout/index.js';
import { freshTape } from './tape.js';

const tape = freshTape();
describe('a recording', () => {
  const secret = 'hunter2-hunter2';
  const params = {
    query: 'mvcc',
    apiKey: secret,
    headers: { Authorization: `Bearer ${secret}`, accept: 'x' },
    nested: [{ api_key: secret }, { deep: { password: secret } }],
  };
  const redact = ['apiKey', 'headers.authorization', '**.api_key', '**.password'];
  const own = { keepParams: { redact: ['session'] } };

  it('holds nothing redacted in its raw and inflated files, and replays under the key of all', async () => {
    const cache = await tape.open('record', own, { redact });
    const run = async (input: object) => `found ${Object.keys(input).length}`;
    const call = { ...params, session: secret };
    await cache.wrap(run, { name: 'wrapped', keepParams: { redact: ['other'] } })({ ...call, other: secret });
    await cache.getOrSet('search', call, () => 1);
    await cache.set('set', call, 1);
    const { tool } = cache.tools({ tool: { execute: run } }, { tool: {} });
    await tool.execute(call);
    await cache.flush();
    const during = tape.bytes();
    await cache.close();
    for (const bytes of [during, tape.bytes()]) {
      expect(bytes).not.toContain(secret);
      expect(bytes).toContain('mvcc');
    }
    const strict = await tape.open('strict', own, { redact });
    expect(await strict.get('search', call)).toBe(1);
    expect(await strict.get('set', call)).toBe(1);
    // Another secret is another call, though nothing that is kept differs.
    await expect(strict.get('search', { ...call, apiKey: 'other' })).rejects.toThrow(
      'and differs in what is redacted',
    );
    const lines = [];
    for await (const { method, encodedParams } of exportFiles([tape.dir]))
      lines.push([method, encodedParams !== undefined]);
    expect(lines.sort()).toEqual(['search', 'set', 'tool', 'wrapped'].map((method) => [method, true]));
  });

  it('holds nothing redacted that names what a rollout reads and writes, and plays it back', async () => {
    const effects = { get: { reads: ['seat:{id}'] }, book: { writes: ['seat:{id}'] } };
    const play = async (cache: CacheManager, onAnswer?: () => void) => {
      const rollout = new Rollout(cache, {
        effects,
        task: 'airline-3',
        id: 0,
        ...(onAnswer && { onAnswer }),
      });
      const call = (tool: string) => rollout.call(tool, { id: secret, by: 'ann' }, () => `${tool} ran`);
      return [await call('get'), await call('book'), await call('get')];
    };
    for (const onAnswer of [undefined, () => undefined]) {
      const cache = await tape.open('record', {}, { redact: ['id'] });
      expect(await play(cache, onAnswer)).toEqual(['get ran', 'book ran', 'get ran']);
      await cache.close();
      expect(tape.bytes()).not.toContain(secret);
      expect(tape.bytes()).toContain('airline-3');
    }
    const strict = await tape.open('strict', {}, { redact: ['id'] });
    expect(await play(strict)).toEqual(['get ran', 'book ran', 'get ran']);
    const other = new Rollout(strict, { effects, task: 'airline-4', id: 0 });
    await expect(other.call('get', { id: secret, by: 'ann' }, () => 1)).rejects.toThrow(
      'differs in its scope',
    );
  });

  it('shows no secret in what it says of a call', async () => {
    const cache = await tape.open('record', {}, { redact });
    await cache.getOrSet('search', params, () => 1);
    await cache.close();
    const strict = await tape.open('strict', {}, { redact });
    const error = await strict.get('search', { ...params, query: secret }).catch((thrown: unknown) => thrown);
    expect(`${(error as Error).message}${JSON.stringify(error)}`).not.toContain(secret);
    expect((error as Error).message).toContain('differs in `query`');
  });
});
