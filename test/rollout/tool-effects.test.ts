/** Declarations of effects: from code, from rules of `cache.tools`, from a file. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { Rollout, ToolEffects } from '../../src/rollout/index.js';

describe('declarations', () => {
  it('go by name, then by the longest pattern, and say nothing of other tools', () => {
    const effects = new ToolEffects({ get_user: 'opaque', 'get_*': 'pure', 'get_u*': 'write', '*': 'write' });
    const kinds = ['get_user', 'get_order', 'get_us', 'book'].map((tool) => effects.for(tool).effect.kind);
    expect(kinds).toEqual(['opaque', 'pure', 'tracked', 'tracked']);
    expect(new ToolEffects({}).for('book').effect).toMatchObject({ kind: 'tracked', isDeclared: false });
  });

  it('have a digest that tells them apart', () => {
    const digests = [
      { a: 'pure' },
      { b: 'pure' },
      { a: 'opaque' },
      { a: { reads: ['x'] } },
      { a: { writes: ['x'] } },
    ].map((each) => new ToolEffects(each as never).digest);
    expect(new Set(digests).size).toBe(5);
    expect(new ToolEffects({ a: 'pure', b: 'opaque' }).digest).toBe(
      new ToolEffects({ b: 'opaque', a: 'pure' }).digest,
    );
  });

  it.each([
    [
      { a: 'read' },
      "Expected `effects.a` to be 'pure', 'opaque', 'write' or `{ reads: ['…'], writes: ['…'] }`, got `'read'`",
    ],
    [{ a: {} }, 'Expected `effects.a` to name a resource, got none'],
    [{ a: { read: ['x'] } }, 'Unknown field `read` of `effects.a`: did you mean `reads`?'],
    [{ a: { reads: 'x' } }, 'Expected `effects.a.reads` to be a list of resources'],
    [{ a: { effect: 'pure', samples: 0 } }, '`effects.a.samples`'],
    [
      { a: { effect: 'write', samples: 2 } },
      '`effects.a.samples` does nothing for a tool whose results are not kept',
    ],
    [{ a: { effect: 'pure', scope: 'all' } }, 'Expected `effects.a.scope` to be'],
    [{ '*': 'opaque' }, "to say nothing of tools that nobody has looked at, got `'opaque'`"],
    [[], 'Expected `effects` to be an object of effects by tool name'],
  ])('%o are refused', (declarations, message) => {
    expect(() => new ToolEffects(declarations as never)).toThrow(message);
  });

  it('that disagree are refused when their tool is met', () => {
    const effects = new ToolEffects({ 'get_*': 'pure', '*_get': 'write' });
    expect(() => effects.for('get_get')).toThrow('disagree on the tool `get_get`');
  });
});

describe('rules of `cache.tools`', () => {
  const rules = {
    search: { ttl: '1h' },
    read: { effect: { reads: ['file:{path}'] }, scope: 'acme' },
    put: { effect: { writes: ['file:{path}'] } },
    book: 'write',
    odd: 'opaque',
  } as const;

  it('carry effects; without a rollout only pure tools are cached', async () => {
    const cache = new CacheManager();
    const runs = { search: 0, read: 0, put: 0 };
    const tools = cache.tools(
      {
        search: { execute: async (_: object) => ++runs.search },
        read: { execute: async (_: object) => ++runs.read },
        put: { execute: async (_: object) => ++runs.put },
      },
      rules,
    );
    for (const tool of Object.values(tools)) for (let at = 0; at < 2; at++) await tool.execute({ path: 'a' });
    expect(runs).toEqual({ search: 1, read: 2, put: 2 });
    expect(() => cache.tools({}, { search: { effect: 'reads' as never } })).toThrow(
      'Expected `search.effect` to be',
    );
  });

  it('are declarations, in which unknown tools may do anything', () => {
    const effects = ToolEffects.fromRules(rules);
    expect(effects.for('search').effect.kind).toBe('pure');
    expect(effects.for('read')).toMatchObject({ effect: { kind: 'tracked' }, scope: { tenant: 'acme' } });
    expect(effects.for('book').effect).toMatchObject({ kind: 'tracked', isDeclared: true });
    expect(effects.for('odd').effect).toMatchObject({ kind: 'tracked', isDeclared: false });
  });
});

describe('a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'toolstash-effects-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileOf = (text: string) => {
    const path = join(folder, 'effects.json');
    writeFileSync(path, text);
    return path;
  };

  it('holds declarations', () => {
    const tools = { search: 'pure', read: { effect: { reads: ['file:{path}'] }, samples: 2 } };
    const effects = ToolEffects.fromFile(fileOf(JSON.stringify({ $schema: 'x', tools })));
    expect(effects.digest).toBe(new ToolEffects(tools as never).digest);
    expect(effects.for('read').samples).toBe(2);
  });

  it.each([
    ['{', "Can't read effects from"],
    ['[]', 'Expected `the file` to be an object'],
    ['{}', 'Expected `effects` to be an object of effects'],
    ['{"tool":{}}', 'Unknown field `tool` of a file of effects: did you mean `tools`?'],
    ['{"tools":{"a":"b"}}', 'Expected `effects.a` to be'],
  ])('of %s is refused with its name', (text, message) => {
    const path = fileOf(text);
    expect(() => ToolEffects.fromFile(path)).toThrow(message);
    expect(() => ToolEffects.fromFile(path)).toThrow(path);
    expect(() => ToolEffects.fromFile(join(folder, 'none.json'))).toThrow('ENOENT');
  });

  it('has a schema that knows what declarations have', () => {
    const schema = JSON.parse(
      readFileSync(new URL('../../src/rollout/effects.schema.json', import.meta.url), 'utf8'),
    ) as { $defs: { effect: { anyOf: [{ enum: string[] }, { properties: object }] } } };
    const [{ enum: words }, { properties }] = schema.$defs.effect.anyOf;
    for (const word of words) expect(() => new ToolEffects({ a: word as 'pure' })).not.toThrow();
    for (const field of Object.keys(properties))
      expect(() => new ToolEffects({ a: { [field]: ['x'] } })).not.toThrow();
  });
});

describe("an MCP server's hints", () => {
  const effects = new ToolEffects({
    search: 'pure',
    read: { reads: ['n'] },
    put: { writes: ['n'] },
    'list_*': 'pure',
  });
  const hints = (name: string, annotations: object) => ({ name, annotations });

  it('are a veto against tools that were declared to change nothing, and allow nothing', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const heeding = effects.withHints([
      hints('search', { readOnlyHint: false }),
      hints('read', { readOnlyHint: true }),
      hints('put', { destructiveHint: true }),
      hints('list_all', { destructiveHint: true }),
      hints('unknown', { readOnlyHint: true }),
      { name: 'silent' },
    ]);
    const kinds = ['search', 'read', 'put', 'list_all', 'list_some', 'unknown'].map((name) => {
      const { effect } = heeding.for(name);
      return effect.kind === 'tracked' ? effect.isDeclared : effect.kind;
    });
    expect(kinds).toEqual([false, true, true, false, 'pure', false]);
    expect(heeding.digest).not.toBe(effects.digest);
    expect(effects.for('search').effect.kind).toBe('pure');
    expect(warned.mock.calls).toEqual([
      [
        expect.stringContaining('`search` (readOnlyHint: false), `list_all` (destructiveHint: true)'),
        expect.objectContaining({ code: 'TOOLSTASH_VETOED_EFFECT' }),
      ],
    ]);
    warned.mockRestore();
    expect(effects.withHints([hints('read', { readOnlyHint: true })])).toBe(effects);
    expect(() => effects.withHints({ tools: [] } as never)).toThrow('Expected `tools` to be a list of tools');
  });

  it('refuse a tool of a framework that is declared so', async () => {
    const rollout = new Rollout(new CacheManager(), { effects });
    const tool = (annotations: object) => ({ annotations, execute: async () => 'ran' });
    expect(() => rollout.tools({ search: tool({ readOnlyHint: false }) })).toThrow(
      "`search` can't be run through a rollout, because its `annotations` say `readOnlyHint: false`",
    );
    expect(() => rollout.tools({ read: tool({ destructiveHint: true }) })).toThrow('declare what it writes');
    const { put, search } = rollout.tools({
      put: tool({ destructiveHint: true }),
      search: tool({ readOnlyHint: true }),
    });
    expect(await Promise.all([put.execute(), search.execute()])).toEqual(['ran', 'ran']);
  });
});
