/**
 * What README.md and the guides show compiles, runs, and prints what it claims; commands, flags, files and headings they
 * name are there.
 *
 * A block of TypeScript is a program. What it takes for granted stands before it in a comment that readers don't see,
 * `<!-- given … -->`; what to do after it, and what that prints, behind it: `<!-- then … // prints: … -->`.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../src/cli/program.js';
import { type CompiledPrograms, compilePrograms, problemsIn, root } from './helper/compiled-programs.js';
import { librariesOf } from './helper/libraries.js';
import { RedisServer, stopServers } from './helper/redis-server.js';

const guides = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('README.md'))
  .map((file) => join('examples', file))
  .sort();
const documents = ['README.md', '.github/CONTRIBUTING.md', '.github/SECURITY.md', ...guides];
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

interface Block {
  readonly name: string;
  readonly program: string;
  readonly prints: readonly string[];
}

const blocks: readonly Block[] = documents.flatMap((file) => {
  const pattern =
    /(?:<!-- given\n((?:(?!-->).)*?)-->\n)?^```ts\n(.*?)^```\n(?:<!-- then\n((?:(?!-->).)*?)-->)?/gms;
  return Array.from(textOf(file).matchAll(pattern), ([, given = '', code = '', then = ''], at) => ({
    name: `${file.replace(/\/?README\.md$|\.md$/, '').replace(/[^a-z-]+/gi, '-') || 'readme'}-${at + 1}`,
    program: [given, code, then, 'export {};'].join('\n'),
    prints: Array.from(then.matchAll(/^\/\/ prints: (.*)$/gm), ([, line = '']) => line),
  }));
});

function shellLines(files: readonly string[]): string[] {
  return files
    .flatMap((file) => Array.from(textOf(file).matchAll(/^```sh\n(.*?)^```/gms), ([, text = '']) => text))
    .flatMap((text) => text.split('\n'))
    .map((line) => line.replace(/#.*/, '').trim());
}

/** One block works with undici, which is installed nowhere else. */
const httpLibraries = new URL('http/libraries/', import.meta.url);
let sources: string;
const fileOf = ({ name }: Block) => join(sources, `${name}.mts`);

beforeAll(async () => {
  // For guides that can do nothing without one.
  process.env['REDIS_URL'] = (await RedisServer.start()).url;
  // Within the repository, so that the packages it takes for granted are found.
  sources = mkdtempSync(join(root, 'node_modules', '.documentation-'));
  await librariesOf(httpLibraries);
  mkdirSync(join(sources, 'node_modules'));
  symlinkSync(new URL('node_modules/undici', httpLibraries), join(sources, 'node_modules/undici'));
  for (const block of blocks) writeFileSync(fileOf(block), block.program);
});
afterAll(async () => {
  delete process.env['REDIS_URL'];
  await stopServers();
  rmSync(sources, { recursive: true, force: true });
});

it('has a block to try in the README and in most guides, each with what it prints', () => {
  expect(blocks.length).toBeGreaterThan(10);
  expect(blocks.filter(({ prints }) => prints.length === 0).map(({ name }) => name)).toEqual([]);
  // Plain JavaScript is TypeScript too: a block in another name would not be tried.
  expect(documents.filter((file) => /^```(?:js|javascript|typescript)\b/m.test(textOf(file)))).toEqual([]);
});

describe.each([
  ['standard decorators', false, blocks],
  ['experimentalDecorators', true, blocks.filter(({ program }) => program.includes('@cache.'))],
])('under %s', (_, experimentalDecorators, tried) => {
  let programs: CompiledPrograms;
  let files: string[];
  beforeAll(async () => {
    files = tried.map(fileOf);
    programs = await compilePrograms(files, { experimentalDecorators, formats: ['esm'] });
  });
  afterAll(() => programs.remove());

  it('every block compiles', () => {
    expect(problemsIn(files, experimentalDecorators)).toEqual([]);
  });

  it.each(tried.map(({ name, prints }) => [name, prints] as const))('%s runs', async (name, prints) => {
    const { stdout, stderr } = await programs.run(name, 'mjs');
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(prints);
  });
});

describe('what it refers to', () => {
  it.each(documents)('%s links to files and headings that are there', (file) => {
    const links = Array.from(textOf(file).matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
    const dead = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', heading] = link.split('#');
      const target = path === '' ? file : relative(root, join(root, dirname(file), path));
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && !headingsOf(target).includes(heading);
    });
    expect(dead).toEqual([]);
  });

  function headingsOf(file: string): string[] {
    const titles = Array.from(textOf(file).matchAll(/^#+ (.*)$/gm), ([, title = '']) => title);
    return titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    );
  }

  it('links every guide from the README', () => {
    const readme = textOf('README.md');
    expect(guides.filter((guide) => !readme.includes(`](${guide})`))).toEqual([]);
  });

  it('links from packed documents to packed files only', () => {
    const { files } = JSON.parse(textOf('package.json')) as { files: string[] };
    const isPacked = (file: string) => files.some((each) => file === each || file.startsWith(`${each}/`));
    const packed = [...documents, 'CHANGELOG.md', 'bench/README.md', 'src/persistence/FORMAT.md'];
    expect(packed.filter((file) => !isPacked(file))).toEqual([]);
    const dead = packed.flatMap((file) =>
      Array.from(textOf(file).matchAll(/\]\(([^)#\s]+)/g), ([, target = '']) => target)
        .filter((target) => !/^https?:/.test(target) && !isPacked(join(dirname(file), target)))
        .map((target) => `${file}: ${target}`),
    );
    expect(dead).toEqual([]);
  });

  it('has the pitfalls of each guide under one heading', () => {
    const topics = guides.filter((guide) => guide.split('/').length === 3);
    expect(topics.filter((guide) => !headingsOf(guide).includes('pitfalls'))).toEqual([]);
  });

  it('is short enough for a newcomer', () => {
    const text = textOf('README.md');
    expect(text.split('\n').length).toBeLessThanOrEqual(241);
    const visible = text.replace(/<!--.*?-->/gs, '').replace(/\]\([^)]*\)/g, ']');
    expect(visible.split(/\s+/).filter((word) => /\w/.test(word)).length).toBeLessThanOrEqual(1700);
  });
});

describe('the command line', () => {
  async function helpOf(command: string): Promise<string> {
    let help = '';
    const stdout = { write: (text: string) => (help += text) } as unknown as NodeJS.WriteStream;
    await runProgram([command, '--help'], { stdout, stderr: stdout });
    return help;
  }

  const calls = shellLines(documents)
    .filter((line) => /^(npx )?toolstash /.test(line))
    .map((line) => line.replace(/^npx /, ''));

  it.each(calls)('has what `%s` asks for', async (call) => {
    const [, command = '', ...rest] = call.split(/\s+/);
    const help = await helpOf(command);
    expect(help).toMatch(new RegExp(`^Usage: toolstash ${command}`));
    for (const flag of rest.filter((part) => part.startsWith('--'))) expect(help).toContain(`${flag} `);
  });

  it('has its flags of `replay` in the guide, all of them', async () => {
    const guide = textOf('examples/replay/README.md');
    const flags = (await helpOf('replay')).matchAll(/^\s+(?:-h, )?(--[a-z-]+)/gm);
    const missing = Array.from(flags, ([, flag = '']) => flag).filter((flag) => !guide.includes(flag));
    expect(missing).toEqual(['--help']);
  });

  it('knows every flag that the guides have for it', async () => {
    const commands = [...new Set(calls.map((call) => call.split(/\s+/)[1] ?? ''))];
    const known = (await Promise.all(commands.map(helpOf))).join('\n');
    const text = ['replay', 'command-line'].map((name) => textOf(`examples/${name}/README.md`)).join('\n');
    const flags = [...new Set(Array.from(text.matchAll(/--[a-z][a-z-]+/g), ([flag]) => flag))];
    expect(flags.length).toBeGreaterThan(10);
    expect(flags.filter((flag) => !known.includes(flag))).toEqual([]);
  });
});
