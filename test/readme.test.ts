/** What README.md shows compiles, runs, and says what it claims; commands and flags it names are there. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../src/cli/program.js';
import { type CompiledPrograms, compilePrograms, problemsIn, root } from './helper/compiled-programs.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

function blocksOf(language: string): string[] {
  return Array.from(
    readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms')),
    ([, text = '']) => text,
  );
}

/** What a block takes for granted, what to look at after it, and what that says. */
interface Snippet {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  readonly says: RegExp;
}

const aCache = "import { CacheManager } from 'toolstash';\nconst cache = new CacheManager();\n";

/** In the order of the README: a new block needs a line here. */
const snippets: readonly Snippet[] = [
  {
    name: 'introduction',
    before: 'const database = { query: async (sql: string) => [sql] };',
    after: 'console.log(rows);',
    says: /^0\n\[ 'SELECT 1' \]/,
  },
  {
    name: 'wrap',
    before: `${aCache}const searchTheWeb = async (query: string, limit: number) => [query, limit];`,
    after:
      "console.log(search.key('mvcc', 10), cache.stats('searchTheWeb').loads, search.original === searchTheWeb);",
    says: /^[0-9a-f]{32} 2 true/,
  },
  {
    name: 'decorators',
    before: `${aCache}import type { Wrapped } from 'toolstash';
const database = { orderOf: async (tenant: string, id: string) => \`\${tenant} \${id}\` };
const market = { rate: async (from: string, to: string) => \`\${from}\${to}\` };`,
    after: `const tools = new Tools('acme');
console.log(await tools.findOrder('W1'), await new Tools('globex').findOrder('W1'));
console.log(await tools.exchangeRate('USD', 'EUR'), tools.normalize('b A'), cache.methods());
console.log(await (tools.findOrder as Wrapped<typeof tools.findOrder>).invalidate.call(tools, 'W1'));`,
    says: /^acme W1 globex W1\nUSDEUR .*Tools\.findOrder.*\ntrue/s,
  },
  {
    name: 'loader',
    before: `${aCache}const url = 'http://localhost/';
const fetch = async (_url: string, _init: { signal: AbortSignal }) =>
  new Response('page', { headers: { 'cache-control': 'max-age=60' } });`,
    after: `const found = await cache.lookup('fetch', { url });
console.log(page, found.outcome === 'hit' && Number(found.metadata.expiresAt) - found.metadata.createdAt);`,
    says: /^page 60000/,
  },
  {
    name: 'disk',
    before: "import { CacheManager } from 'toolstash';",
    after:
      "await cache.set('search', 'mvcc', 1);\nawait cache.flush();\nconsole.log(await cache.get('search', 'mvcc'));",
    says: /^1/,
  },
  {
    name: 'codecs',
    before: `import { CacheManager } from 'toolstash';
class Money { constructor(readonly amount: number, readonly currency: string) {} }`,
    after: "await cache.set('price', 1, new Money(5, 'EUR'));\nconsole.log(await cache.get('price', 1));",
    says: /^Money \{ amount: 5, currency: 'EUR' \}/,
  },
];

const blocks = blocksOf('ts');
let sources: string;
const fileOf = (name: string) => join(sources, `${name}.mts`);

beforeAll(() => {
  // Within the repository, so that the packages it takes for granted are found.
  sources = mkdtempSync(join(root, 'node_modules', '.readme-'));
  for (const [index, { name, before, after }] of snippets.entries()) {
    writeFileSync(fileOf(name), [before, blocks[index], after, 'export {};'].join('\n'));
  }
});
afterAll(() => rmSync(sources, { recursive: true, force: true }));

it('every block of TypeScript is one that is tried', () => {
  expect(blocks).toHaveLength(snippets.length);
});

describe.each([
  ['standard decorators', false, snippets],
  ['experimentalDecorators', true, snippets.filter(({ name }) => name === 'decorators')],
])('under %s', (_, experimentalDecorators, tried) => {
  let programs: CompiledPrograms;
  let files: string[];
  beforeAll(async () => {
    files = tried.map(({ name }) => fileOf(name));
    programs = await compilePrograms(files, { experimentalDecorators, formats: ['es'] });
  });
  afterAll(() => programs.remove());

  it('every block compiles', () => {
    expect(problemsIn(files, experimentalDecorators)).toEqual([]);
  });

  it.each(tried.map(({ name, says }) => [name, says] as const))('%s runs', async (name, says) => {
    const { stdout, stderr } = await programs.run(name, 'mjs');
    expect(stderr).toBe('');
    expect(stdout).toMatch(says);
  });
});

describe('the command line', () => {
  async function helpOf(command: string): Promise<string> {
    let help = '';
    const stdout = { write: (text: string) => (help += text) } as unknown as NodeJS.WriteStream;
    await runProgram([command, '--help'], { stdout, stderr: stdout });
    return help;
  }

  const calls = blocksOf('sh')
    .join('\n')
    .split('\n')
    .filter((line) => /^(npx )?toolstash /.test(line))
    .map((line) => line.replace(/#.*/, '').replace(/^npx /, '').trim());

  it.each(calls)('has what `%s` asks for', async (call) => {
    const [, command = '', ...rest] = call.split(/\s+/);
    const help = await helpOf(command);
    expect(help).toMatch(new RegExp(`^Usage: toolstash ${command}`));
    for (const flag of rest.filter((part) => part.startsWith('--'))) expect(help).toContain(`${flag} `);
  });

  it('has its flags of `replay` in the README, all of them', async () => {
    const flags = (await helpOf('replay')).matchAll(/^\s+(?:-h, )?(--[a-z-]+)/gm);
    const unsaid = Array.from(flags, ([, flag = '']) => flag).filter((flag) => !readme.includes(flag));
    expect(unsaid).toEqual(['--help']);
  });

  it('knows every flag that the README has for it', async () => {
    const commands = [...new Set(calls.map((call) => call.split(/\s+/)[1] ?? ''))];
    const known = (await Promise.all(commands.map(helpOf))).join('\n');
    const section = readme.slice(readme.indexOf('## Replay your own trace'), readme.indexOf('## Errors'));
    const flags = [...new Set(Array.from(section.matchAll(/--[a-z][a-z-]+/g), ([flag]) => flag))];
    expect(flags.length).toBeGreaterThan(10);
    expect(flags.filter((flag) => !known.includes(flag))).toEqual([]);
  });
});
