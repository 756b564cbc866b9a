/** A world of files for model tests: what its tools really do to it, and all states it has been in. */

export type Files = ReadonlyMap<string, string>;
export type Input = Readonly<Record<string, unknown>>;

/** What its tools read and write, as their user declares it. */
export const effects = Object.freeze({
  read: { reads: ['fs:{path}'] },
  list: { reads: ['fs:{path}/*'] },
  tree: { reads: ['fs:**'] },
  length: 'pure',
  clock: 'opaque',
  put: { writes: ['fs:{path}'] },
  add: { writes: ['fs:{path}'] },
  /** Puts down a number that its input doesn't tell, and returns it. */
  stamp: { writes: ['fs:{path}'] },
  copy: { reads: ['fs:{from}'], writes: ['fs:{to}'] },
  move: { writes: ['fs:{from}', 'fs:{to}'] },
  /** Returns what was there. */
  take: { reads: ['fs:{path}'], writes: ['fs:{path}'] },
  wipe: { writes: ['fs:{path}/**'] },
  reset: 'write',
} as const);

/** `undeclared` is not declared. */
export type ToolName = keyof typeof effects | 'undeclared';

/** What a path leads to. */
function resolved(path: unknown): string {
  const segments: string[] = [];
  for (const segment of String(path ?? 'a').split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '.' && segment !== '') segments.push(segment);
  }
  return segments.join('/');
}

/** What a tool that only reads answers. */
export function answerIn(files: Files, tool: ToolName, input: Input): unknown {
  const path = resolved(input['path']);
  const paths = [...files.keys()].sort();
  if (tool === 'list')
    return paths.filter((each) => each.replace(/\/[^/]*$/, '') === path && each.includes('/'));
  if (tool === 'tree') return paths.map((each) => `${each}=${files.get(each)}`);
  if (tool === 'length') return String(input['path']).length;
  return files.get(path) ?? { isError: true, text: `no file ${path}` };
}

/** What one call of a tool does, in its time. */
export interface Course {
  /** Turns before it has its effect, and after it. */
  readonly before: number;
  readonly after: number;
  /** It throws, maybe with half of its effect behind it. */
  readonly fails: boolean;
  /** Ms that it hangs besides, before its effect. */
  readonly hangs: number;
}

/** The world of one rollout. */
export class World {
  /** All states so far, the newest last. */
  readonly states: Files[] = [
    new Map([
      ['a', '1'],
      ['b', '2'],
      ['d/x', '3'],
      ['d/y', '4'],
    ]),
  ];
  #stamp: () => number;
  ran = 0;

  constructor(stamp: () => number) {
    this.#stamp = stamp;
  }

  get files(): Files {
    return this.states.at(-1)!;
  }

  /** Runs a tool. */
  async run(tool: ToolName, input: Input, course: Course): Promise<unknown> {
    this.ran += 1;
    await turns(course.before);
    if (course.hangs > 0) await new Promise((resolve) => setTimeout(resolve, course.hangs));
    const result = this.#affect(tool, input, course.fails);
    await turns(course.after);
    if (course.fails) throw new Error(`${tool} failed`);
    return result;
  }

  #affect(tool: ToolName, input: Input, fails: boolean): unknown {
    const files = new Map(this.files);
    const [path, from, to] = [resolved(input['path']), resolved(input['from']), resolved(input['to'])];
    const old = files.get(path);
    if (tool in effects && !['put', 'add', 'stamp', 'copy', 'move', 'take', 'wipe', 'reset'].includes(tool))
      return tool === 'clock' ? this.#stamp() : answerIn(files, tool, input);
    const stamp = this.#stamp();
    // Half of an effect is another one.
    const text = fails ? `half ${stamp}` : String(input['text'] ?? '');
    let result: unknown = 'done';
    if (tool === 'put') files.set(path, text);
    else if (tool === 'add') files.set(path, `${old ?? ''}${text}`);
    else if (tool === 'stamp') {
      result = stamp;
      files.set(path, `stamp ${stamp}`);
    } else if (tool === 'copy' || tool === 'move') {
      const moved = files.get(from);
      if (tool === 'move') files.delete(from);
      if (moved === undefined) files.delete(to);
      else files.set(to, fails ? text : moved);
    } else if (tool === 'take') {
      result = old ?? null;
      files.delete(path);
    } else if (tool === 'wipe') {
      for (const each of files.keys()) if (each === path || each.startsWith(`${path}/`)) files.delete(each);
    } else if (tool === 'reset') {
      for (const each of files.keys()) files.set(each, text);
    } else {
      files.set('a', `undeclared ${stamp}`);
      files.set('d/y', `undeclared ${stamp}`);
    }
    this.states.push(files);
    return result;
  }
}

/** Lets others run so many times. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined;
}
