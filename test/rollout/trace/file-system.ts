/** A file system with a working folder: a shell's tools, whose paths are relative, and an editor's, which take whole ones. */

import {
  type Input,
  type Outcome,
  pick,
  pickWeighted,
  type Random,
  type RunContext,
  type ToolRequest,
  type ToolWorld,
} from './tool-world.js';

/** The text of a file; `undefined` for a folder. */
type Node = string | undefined;

interface Files {
  readonly cwd: string;
  /** By whole path, without a slash at its end; the root is `''`. */
  readonly nodes: ReadonlyMap<string, Node>;
}

const relative = { reads: ['cwd', 'fs:**'] };
const effects = {
  pwd: { reads: ['cwd'] },
  ls: relative,
  cat: relative,
  grep: relative,
  find: relative,
  du: { reads: ['fs:**'] },
  view: { reads: ['fs:{file}'] },
  outline: { reads: ['fs:{folder}/*'] },
  count: 'pure',
  date: 'opaque',
  cd: { reads: ['fs:**'], writes: ['cwd'] },
  echo: { reads: ['cwd'], writes: ['fs:**'] },
  mkdir: { reads: ['cwd'], writes: ['fs:**'] },
  rm: { reads: ['cwd'], writes: ['fs:**'] },
  mv: { reads: ['cwd'], writes: ['fs:**'] },
  cp: { reads: ['cwd'], writes: ['fs:**'] },
  create: { writes: ['fs:{file}'] },
  replace: { writes: ['fs:{file}'] },
  rename: { writes: ['fs:{from}', 'fs:{to}'] },
  mktemp: { reads: ['cwd'], writes: ['fs:**'] },
  // `bash` is not declared.
} as const;

const weights = {
  ...{ pwd: 4, ls: 10, cat: 14, grep: 6, find: 4, du: 3, view: 16, outline: 6, count: 3, date: 1 },
  ...{
    cd: 7,
    echo: 4,
    mkdir: 2,
    rm: 2,
    mv: 3,
    cp: 2,
    create: 4,
    replace: 6,
    rename: 2,
    mktemp: 1,
    bash: 0.5,
  },
};
type ToolName = keyof typeof weights;

const names = ['a.txt', 'b.txt', 'src/a.txt', 'src/c.txt', 'src/lib/d.txt', 'docs/a.txt'] as const;
const folders = ['src', 'src/lib', 'docs', 'new'] as const;
const odd = [
  '../a.txt',
  './b.txt',
  'src//a.txt',
  'src/../b.txt',
  '*.txt',
  '{a,b}.txt',
  'A.txt',
  '/W/a.txt',
  '',
] as const;
const texts = ['alpha', 'beta', 'gamma'] as const;

/** A path as a shell takes it. */
function resolved(cwd: string, path: unknown): string {
  const text = String(path ?? '');
  const segments = text.startsWith('/') ? [] : cwd.split('/').filter((each) => each !== '');
  for (const segment of text.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '.' && segment !== '') segments.push(segment);
  }
  return segments.map((segment) => `/${segment}`).join('');
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
const missing = (tool: string, path: string) => ({ error: `${tool}: ${path}: No such file or directory` });

/** What changes while a tool runs. */
class Draft {
  cwd: string;
  readonly nodes: Map<string, Node>;

  constructor({ cwd, nodes }: Files) {
    this.cwd = cwd;
    this.nodes = new Map(nodes);
  }

  isFolder(path: string): boolean {
    return this.nodes.has(path) && this.nodes.get(path) === undefined;
  }

  /** All below a folder, and itself. */
  under(path: string): string[] {
    return [...this.nodes.keys()].filter((each) => each === path || each.startsWith(`${path}/`)).sort();
  }

  children(path: string): string[] {
    return this.under(path).filter((each) => each !== path && parentOf(each) === path);
  }

  remove(path: string): void {
    for (const each of this.under(path)) this.nodes.delete(each);
  }

  copy(from: string, to: string): void {
    for (const each of this.under(from))
      this.nodes.set(`${to}${each.slice(from.length)}`, this.nodes.get(each));
  }

  /** Puts down a file with the folders above it. */
  create(path: string, text: string): void {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      if (!this.isFolder(folder)) this.nodes.set(folder, undefined);
    }
    this.nodes.set(path, text);
  }
}

type Tool = (draft: Draft, input: Input, context: RunContext) => unknown;

/** A copy or a move; broken off, the source of a move is still there. */
function transfer(
  tool: string,
  draft: Draft,
  { from, to }: { from: string; to: string },
  isMove: boolean,
): unknown {
  if (!draft.nodes.has(from)) return missing(tool, from);
  const target = draft.isFolder(to) ? `${to}/${from.slice(from.lastIndexOf('/') + 1)}` : to;
  if (target === from || target.startsWith(`${from}/`)) return { error: `${tool}: can't be put into itself` };
  if (!draft.isFolder(parentOf(target)) && parentOf(target) !== '') return missing(tool, parentOf(target));
  draft.remove(target);
  draft.copy(from, target);
  if (isMove) draft.remove(from);
  return { [isMove ? 'moved' : 'copied']: target };
}

const tools: Readonly<Record<ToolName, Tool>> = {
  pwd: ({ cwd }) => cwd,
  ls(draft, { path }) {
    const folder = resolved(draft.cwd, path);
    if (!draft.nodes.has(folder)) return missing('ls', String(path));
    if (!draft.isFolder(folder)) return [folder];
    return draft.children(folder).map((each) => (draft.isFolder(each) ? `${each}/` : each));
  },
  cat(draft, { path }) {
    const file = resolved(draft.cwd, path);
    return draft.isFolder(file)
      ? { error: `cat: ${file}: Is a directory` }
      : (draft.nodes.get(file) ?? missing('cat', file));
  },
  grep(draft, { pattern, path }) {
    const files = draft.under(resolved(draft.cwd, path)).filter((each) => !draft.isFolder(each));
    return files.filter((each) => draft.nodes.get(each)?.includes(String(pattern)));
  },
  find: (draft, { name }) => draft.under(draft.cwd).filter((each) => each.endsWith(`/${name}`)),
  du: (draft) => [...draft.nodes.values()].reduce((sum, text) => sum + (text?.length ?? 4), 0),
  view(draft, { file }) {
    const path = resolved('', file);
    return draft.isFolder(path) ? draft.children(path) : (draft.nodes.get(path) ?? missing('view', path));
  },
  outline: (draft, { folder }) =>
    draft.children(resolved('', folder)).map((each) => [each, draft.nodes.get(each)?.length ?? 'folder']),
  count: (_, { text }) => String(text).length,
  date: (_, __, { nonce }) => nonce(),
  cd(draft, { folder }) {
    const path = resolved(draft.cwd, folder);
    if (!draft.isFolder(path)) return missing('cd', path);
    draft.cwd = path;
    return 'done';
  },
  echo(draft, { text, path, appends }, { isHalf }) {
    const file = resolved(draft.cwd, path);
    if (draft.isFolder(file) || !draft.isFolder(parentOf(file))) return missing('echo', file);
    const whole = `${appends === true ? (draft.nodes.get(file) ?? '') : ''}${String(text)}`;
    draft.nodes.set(file, isHalf ? whole.slice(0, -2) : whole);
    return 'done';
  },
  mkdir(draft, { folder }) {
    const path = resolved(draft.cwd, folder);
    if (draft.nodes.has(path) || !draft.isFolder(parentOf(path))) return missing('mkdir', path);
    draft.nodes.set(path, undefined);
    return 'done';
  },
  rm(draft, { path }) {
    const target = resolved(draft.cwd, path);
    if (!draft.nodes.has(target) || draft.cwd.startsWith(target)) return missing('rm', target);
    draft.remove(target);
    return 'done';
  },
  mv(draft, { from, to }, { isHalf }) {
    const paths = { from: resolved(draft.cwd, from), to: resolved(draft.cwd, to) };
    // Nobody moves the folder that he is in.
    return draft.cwd.startsWith(paths.from)
      ? missing('mv', paths.from)
      : transfer('mv', draft, paths, !isHalf);
  },
  cp: (draft, { from, to }) =>
    transfer('cp', draft, { from: resolved(draft.cwd, from), to: resolved(draft.cwd, to) }, false),
  create(draft, { file, text }, { isHalf }) {
    const path = resolved('', file);
    if (draft.isFolder(path)) return { error: `${path} is a folder` };
    draft.create(path, isHalf ? '' : String(text));
    return 'created';
  },
  replace(draft, { file, old, by }) {
    const path = resolved('', file);
    const text = draft.nodes.get(path);
    if (text === undefined) return missing('replace', path);
    const count = text.split(String(old)).length - 1;
    draft.nodes.set(path, text.replaceAll(String(old), String(by)));
    return { count };
  },
  rename(draft, { from, to }, { isHalf }) {
    const [source, target] = [resolved('', from), resolved('', to)];
    const text = draft.nodes.get(source);
    if (text === undefined || draft.isFolder(target)) return missing('rename', source);
    draft.create(target, text);
    if (!isHalf && source !== target) draft.nodes.delete(source);
    return 'renamed';
  },
  mktemp(draft, _, { nonce }) {
    const path = `${draft.cwd}/tmp-${nonce()}`;
    draft.nodes.set(path, 'temporary');
    return path;
  },
  bash(draft, _, { nonce }) {
    draft.create('/w/a.txt', `by a script ${nonce()}`);
    draft.cwd = '/w';
    return 'done';
  },
};

const readers: ReadonlySet<string> = new Set<ToolName>([
  ...(['pwd', 'ls', 'cat', 'grep', 'find', 'du', 'view', 'outline', 'count', 'date'] as const),
]);

function run(state: Files, { tool, input }: ToolRequest, context: RunContext): Outcome<Files> {
  const draft = new Draft(state);
  const result = tools[tool as ToolName](draft, input, context);
  return { state: readers.has(tool) ? state : { cwd: draft.cwd, nodes: draft.nodes }, result };
}

/** What a model asks for: mostly what is there, now and then what is not, or a path that it writes in another way. */
function draw(random: Random): ToolRequest {
  const tool = pickWeighted(random, weights);
  const file = () => (random() < 0.08 ? pick(random, odd) : pick(random, names));
  const folder = () => (random() < 0.25 ? pick(random, ['..', '/w', '.', '']) : pick(random, folders));
  const whole = (path: string) => (random() < 0.1 ? path : `/w/${path}`);
  const text = () => pick(random, texts);
  const inputs: Partial<Record<ToolName, () => Input>> = {
    ls: () => (random() < 0.4 ? {} : { path: folder() }),
    cat: () => ({ path: file() }),
    grep: () => ({ pattern: text(), path: random() < 0.5 ? '.' : folder() }),
    find: () => ({ name: pick(random, ['a.txt', 'd.txt', 'lib']) }),
    view: () => ({ file: whole(file()) }),
    outline: () => ({ folder: whole(folder()) }),
    count: () => ({ text: text() }),
    cd: () => ({ folder: folder() }),
    echo: () => ({ text: text(), path: file(), ...(random() < 0.4 && { appends: true }) }),
    mkdir: () => ({ folder: folder() }),
    rm: () => ({ path: random() < 0.2 ? folder() : file() }),
    mv: () => ({ from: file(), to: random() < 0.4 ? folder() : file() }),
    cp: () => ({ from: file(), to: random() < 0.4 ? folder() : file() }),
    create: () => ({ file: whole(file()), text: text() }),
    replace: () => ({ file: whole(file()), old: text(), by: text() }),
    rename: () => (random() < 0.05 ? { from: whole(file()) } : { from: whole(file()), to: whole(file()) }),
  };
  return { tool, input: inputs[tool]?.() ?? {} };
}

/** A file system. */
export const fileSystem: ToolWorld<Files> = {
  name: 'file system',
  ...{ effects, readers, run, draw },
  stochastic: new Set<ToolName>(['date', 'mktemp', 'bash']),
  begin(random) {
    const draft = new Draft({ cwd: '/w', nodes: new Map([['', undefined]]) });
    for (const name of names) draft.create(`/w/${name}`, `${pick(random, texts)} ${pick(random, texts)}`);
    return { cwd: draft.cwd, nodes: draft.nodes };
  },
};
