import { describe, expect, it, vi } from 'vitest';
import { hashKey } from '../../src/index.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

describe('a wrapped template tag', () => {
  const textOf = async (strings: TemplateStringsArray, ...values: unknown[]) =>
    String.raw(strings, ...values.map((each) => `<${each}>`));

  it('has the raw strings, and one answer for one template and its values', async () => {
    const tag = vi.fn(textOf);
    const sql = newCache().wrap(tag, { name: 'sql' });
    const find = (id: number) => sql`SELECT '\n' WHERE id = ${id}`;
    expect(await find(1)).toBe("SELECT '\\n' WHERE id = <1>");
    expect(await find(1)).toBe("SELECT '\\n' WHERE id = <1>");
    expect(await find(2)).toBe("SELECT '\\n' WHERE id = <2>");
    expect(tag).toHaveBeenCalledTimes(2);
  });

  it('tells templates apart that differ in their raw strings alone', async () => {
    const sql = newCache().wrap(async (strings: TemplateStringsArray) => strings.raw?.[0], { name: 'sql' });
    expect(await sql`a\tb`).toBe('a\\tb');
    expect(await sql`a	b`).toBe('a	b');
    expect(await sql`\unicode`).toBe('\\unicode');
    expect(await sql`\xerxes`).toBe('\\xerxes');
  });

  it('is given the very strings, by which many tags know a template', async () => {
    const seen = new Set<TemplateStringsArray>();
    const sql = newCache().wrap(async (strings: TemplateStringsArray) => seen.add(strings).size, {
      name: 'a',
    });
    const same = () => sql`SELECT 1`;
    await same();
    expect(await same()).toBe(1);
  });

  it('has one key with raw strings of its own, hidden or not', () => {
    const strings = (raw: string[]) => Object.defineProperty(['a'], 'raw', { value: raw });
    expect(hashKey('sql', [strings(['a'])])).toBe(hashKey('sql', [strings(['a'])]));
    expect(hashKey('sql', [strings(['a'])])).not.toBe(hashKey('sql', [strings(['b'])]));
    expect(hashKey('sql', [strings(['a'])])).not.toBe(hashKey('sql', [['a']]));
  });

  it('leaves other hidden fields of lists to the tool’s copy', async () => {
    const tool = vi.fn(async (_list: readonly number[]) => 1);
    const list = Object.defineProperty([1, 2], 'total', { value: 3 });
    await newCache().wrap(tool, { name: 'sum' })(list);
    const copy = tool.mock.calls[0]?.[0];
    expect(copy).not.toBe(list);
    expect(copy).toEqual([1, 2]);
    expect(Object.getOwnPropertyDescriptor(copy, 'total')?.value).toBe(3);
  });
});
