/** The import rules: the folders of src/ are the architecture, and this is what may know what. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import picomatch from 'picomatch';
import { describe, expect, it } from 'vitest';
import { apart, slowApart } from '../vitest.config.js';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /(?<!\.d)\.ts$/.test(file),
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
  return Array.from(specifiers).flatMap(([, named, dynamic]) => {
    const specifier = (named ?? dynamic) as string;
    // A file that becomes a text is none of the program's code.
    if (specifier.endsWith('?raw')) return [];
    const isOurs = specifier.startsWith('.');
    const to = isOurs
      ? normalize(join(dirname(from), specifier)).replace(/\.js$/, '.ts')
      : specifier.replace(/^((?:@[^/]+\/)?[^/]+).*/, '$1');
    return [{ from, to, isOurs }];
  });
});

/** `root` for the files directly under src/, else the folder. */
const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] as string) : 'root');

/** Files under src/ that everything may import and that import only each other, `key/` and `value/`. */
const base = [
  'at-once.ts',
  'answers.ts',
  'clock.ts',
  'listener.ts',
  'next-turn.ts',
  'duration.ts',
  'entry.ts',
  'errors.ts',
  'events.ts',
  'heap.ts',
  'implementations.ts',
  'foreign-option-names.ts',
  'linked-list.ts',
  'module-evaluation.ts',
  'near-name.ts',
  'node-crypto.ts',
  'option-checks.ts',
  'recorded-tools.ts',
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
  // Values lie in Redis as they lie in partition files.
  remote: ['guard/tag-invalidation.ts', 'persistence/format/'],
  redis: ['remote/'],
  session: ['remote/'],
  http: ['index.ts'],
  metrics: ['index.ts', 'figures/', 'manager/'],
  figures: ['index.ts', 'manager/', 'report/', 'stats/'],
  source: ['index.ts'],
  recording: ['index.ts'],
  dashboard: ['index.ts', 'figures/process-figures.ts', 'manager/', 'persistence/offline/', 'stats/'],
  wrap: ['options.ts', 'guard/'],
  report: ['stats/'],
  tools: ['options.ts', 'guard/', 'wrap/'],
  arena: ['store/'],
  manager: ['options.ts', 'guard/', 'persistence/', 'report/', 'stats/', 'store/', 'tools/', 'wrap/'],
  testing: ['store/'],
  keyv: ['index.ts'],
  trust: ['index.ts', 'manager/cache-context.ts', 'tools/error-result.ts'],
  mcp: ['index.ts', 'tools/', 'trust/observed.ts'],
  // JSON keeps its digits at both edges.
  proxy: [
    'index.ts',
    'options.ts',
    'cli/lossless-json.ts',
    'metrics/prometheus.ts',
    'mcp/',
    'redis/',
    'report/',
    'rollout/',
    'tools/',
  ],
  langchain: ['index.ts', 'tools/'],
  rollout: [
    ...['index.ts', 'tools/', 'guard/deadline.ts', 'guard/shared-abort.ts', 'guard/wait-graph.ts', 'wrap/'],
    ...['manager/cache-context.ts', 'trust/observed.ts'],
  ],
  cli: [
    'dashboard/',
    'figures/',
    'index.ts',
    'persistence/',
    'proxy/',
    'redis/',
    'remote/redis-address.ts',
    'remote/redis-tools.ts',
    'report/',
    'rollout/',
    'store/',
    '../package.json',
  ],
};

/** Files of persistence/ that all of its rooms may import, besides the base. */
const persistenceBase = [
  'changes.ts',
  'disk-errors.ts',
  'disk-options.ts',
  'file-system.ts',
  'folder-context.ts',
  'task-queue.ts',
].map((file) => `persistence/${file}`);

/** The rooms of persistence/, each with those it may import. What lies in none of them puts them together (`top`). */
const rooms: Readonly<Record<string, readonly string[]>> = {
  format: [],
  index: ['format'],
  read: ['format', 'index'],
  write: ['format', 'index', 'read'],
  consolidate: ['format', 'index', 'read', 'write'],
  lock: ['format'],
  flight: ['format', 'lock'],
  top: ['format', 'index', 'read', 'write', 'consolidate', 'lock', 'flight'],
  offline: ['format', 'index', 'read', 'write', 'consolidate', 'top'],
  face: ['format', 'index', 'read', 'write', 'consolidate', 'lock', 'top', 'offline'],
};

/** What the cache takes of persistence/, and how that is loaded. */
const persistenceFace = ['persistence/index.ts', 'persistence/load.ts', 'persistence/load-lazily.ts'];

/** The room of a file of persistence/, else `undefined`. */
const roomOf = (file: string) => {
  if (persistenceFace.includes(file)) return 'face';
  const [folder, room, name] = file.split('/');
  return folder !== 'persistence' ? undefined : name === undefined ? 'top' : room;
};

/** What is published: it may take from anywhere. */
const face = ['index.ts', 'contract.ts', 'public-face.ts'];

describe('the architecture', () => {
  it('reads the imports of every file', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  it('lets each folder import what its layer may know, and no more', () => {
    const wrong = imports.filter(({ from, to, isOurs }) => {
      const folder = folderOf(from);
      if (!isOurs || face.includes(from)) return false;
      if (from === 'options.ts')
        return !(
          isBase(to) ||
          to === 'store/store.ts' ||
          to === 'store/store-names.ts' ||
          /^[a-z]+\/(resolved-)?[a-z]+-options.ts$/.test(to)
        );
      if (folder === 'root') return !isBase(to);
      if (isBase(to) || folderOf(to) === folder) return false;
      return !allowed[folder]?.some((each) => (each.endsWith('/') ? to.startsWith(each) : to === each));
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('lets each room of persistence/ import only the rooms below it', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, other] = [roomOf(from), roomOf(to)];
      if (room === undefined || other === undefined || room === other) return false;
      return !persistenceBase.includes(to) && !rooms[room]?.includes(other);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('lets the tiers know nothing of who asks them, and the loads nothing of the public methods', () => {
    const known: Readonly<Record<string, readonly string[]>> = {
      tiers: ['create-entry', 'method-context'],
      load: [
        ...['answer-reports', 'cache-context', 'call-checks', 'create-entry'],
        ...['lookup', 'method-context', 'private-copies', 'tiers/slow-reads'],
      ],
    };
    const wrong = imports.filter(({ from, to }) => {
      const [, room] = /^manager\/([a-z]+)\//.exec(from) ?? [];
      const other = /^manager\/(.+)\.ts$/.exec(to)?.[1];
      if (room === undefined || other === undefined || other.startsWith(`${room}/`)) return false;
      return !known[room]?.includes(other);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('has a rule for every folder', () => {
    const folders = new Set(files.map(folderOf));
    expect([...folders].filter((folder) => folder !== 'root' && !(folder in allowed))).toEqual([]);
    const found = new Set(files.map(roomOf).filter((room) => room !== undefined));
    expect([...found].filter((room) => !(room in rooms))).toEqual([]);
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
      peerDependencies: Record<string, string>;
    };
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
    for (const name of Object.keys(found)) expect(declared).toHaveProperty(name);
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
    const scripts = readdirSync(join(source, 'dashboard/page')).filter((file) => file.endsWith('.js'));
    const all = [...files, ...scripts.map((file) => join('dashboard/page', file))];
    expect(scripts.length).toBeGreaterThan(0);
    expect(all.filter((file) => readFileSync(join(source, file), 'utf8').split('\n').length > 350)).toEqual(
      [],
    );
  });
});

describe('a test', () => {
  it('that mocks modules shares none with other tests', () => {
    const tests = fileURLToPath(new URL('./', import.meta.url));
    const mocking = readdirSync(tests, { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.long)\.test\.ts$/.test(file) && !file.includes('node_modules'))
      .filter((file) => /\bvi\.(?:mock|doMock|resetModules)\(/.test(readFileSync(join(tests, file), 'utf8')))
      .filter((file) => !file.startsWith('architecture'));
    expect(mocking.length).toBeGreaterThan(6);
    const isApart = picomatch([...apart, ...slowApart]);
    expect(mocking.filter((file) => !isApart(`test/${file}`))).toEqual([]);
  });
});

describe('the changelog', () => {
  const text = readFileSync(join(source, '../CHANGELOG.md'), 'utf8');

  it('says nothing twice, as a merge by union makes it do', () => {
    const begins = Array.from(text.matchAll(/^- (.*)$/gm), ([, line = '']) => line.slice(0, 40));
    expect(begins.filter((each, at) => begins.indexOf(each) < at)).toEqual([]);
  });

  it('has each change in one of three lists', () => {
    const unreleased = text.split('\n## ')[1] ?? '';
    const titles = Array.from(unreleased.matchAll(/^### (.*)$/gm), ([, title = '']) => title);
    expect(titles.sort()).toEqual(['Added', 'Changed', 'Fixed']);
    expect(unreleased.split('\n### ')[0]).not.toMatch(/^- /m);
  });
});
