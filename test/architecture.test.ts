/** The import rules: the folders of src/ are the architecture, and this is what may know what. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

interface Import {
  readonly from: string;
  /** A file of src/, or the bare name of a package. */
  readonly to: string;
  readonly isOurs: boolean;
}

const imports: readonly Import[] = files.flatMap((from) => {
  const text = readFileSync(join(source, from), 'utf8');
  const specifiers = text.matchAll(
    /(?:^|\n)(?:import|export)\b[^;]*?\bfrom '([^']+)'|\bimport\('([^']+)'\)/g,
  );
  return Array.from(specifiers, ([, named, dynamic]) => {
    const specifier = (named ?? dynamic) as string;
    const isOurs = specifier.startsWith('.');
    const to = isOurs
      ? normalize(join(dirname(from), specifier)).replace(/\.js$/, '.ts')
      : specifier.replace(/^((?:@[^/]+\/)?[^/]+).*/, '$1');
    return { from, to, isOurs };
  });
});

/** `root` for the files directly under src/, else the folder. */
const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] as string) : 'root');

/** Files under src/ that everything may import and that import only each other, `key/` and `value/`. */
const base = [
  'clock.ts',
  'duration.ts',
  'entry.ts',
  'errors.ts',
  'events.ts',
  'heap.ts',
  'stamp.ts',
  'tier.ts',
];
const isBase = (file: string) => base.includes(file) || file.startsWith('key/') || file.startsWith('value/');

/** What a folder may import besides the base and itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  key: [],
  value: [],
  store: [],
  guard: [],
  stats: [],
  persistence: [],
  remote: [],
  wrap: ['options.ts', 'guard/'],
  manager: ['options.ts', 'guard/', 'persistence/', 'stats/', 'store/', 'wrap/'],
  testing: ['store/'],
  cli: ['index.ts', 'persistence/', '../package.json'],
};

describe('the architecture', () => {
  it('reads the imports of every file', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  it('lets each folder import what its layer may know, and no more', () => {
    const wrong = imports.filter(({ from, to, isOurs }) => {
      const folder = folderOf(from);
      if (!isOurs || from === 'index.ts') return false;
      if (from === 'options.ts')
        return !(isBase(to) || to === 'store/store.ts' || /^[a-z]+\/(resolved-)?[a-z]+-options.ts$/.test(to));
      if (folder === 'root') return !isBase(to);
      if (isBase(to) || folderOf(to) === folder) return false;
      return !allowed[folder]?.some((each) => (each.endsWith('/') ? to.startsWith(each) : to === each));
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('has a rule for every folder', () => {
    const folders = new Set(files.map(folderOf));
    expect([...folders].filter((folder) => folder !== 'root' && !(folder in allowed))).toEqual([]);
  });

  it('imports each third-party package of the library in one file', () => {
    const users = new Map<string, Set<string>>();
    for (const { from, to, isOurs } of imports) {
      if (isOurs || to.startsWith('node:') || folderOf(from) === 'cli') continue;
      users.set(to, (users.get(to) ?? new Set()).add(from));
    }
    const found = Object.fromEntries([...users].map(([name, from]) => [name, [...from]]));
    for (const [name, from] of Object.entries(found)) expect(from, name).toHaveLength(1);
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(found)) expect(manifest.dependencies).toHaveProperty(name);
  });

  it('has no import cycles', () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, isOurs } of imports) {
      if (isOurs && to.endsWith('.ts')) edges.set(from, [...(edges.get(from) ?? []), to]);
    }
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file) || path.includes(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('names every file in kebab-case and for one idea', () => {
    const odd = files.filter(
      (file) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(file),
    );
    expect(odd).toEqual([]);
    expect(files.filter((file) => /(?:^|\/)(?:utils?|helpers?|common|misc)\.ts$/.test(file))).toEqual([]);
  });

  it('has no file so long that it must hold two ideas', () => {
    const long = files.filter((file) => readFileSync(join(source, file), 'utf8').split('\n').length > 350);
    expect(long.map((file) => relative(source, join(source, file)))).toEqual([]);
  });
});
