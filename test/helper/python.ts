/** A Python interpreter for tests that compare with Python or read our files with it. */

import { spawnSync } from 'node:child_process';
import { installPackages } from './debian-packages.js';

const candidates = ['python3', '/usr/bin/python3', 'python'];

/** Debian's package of each module that tests use beyond Python's own library. */
const debianPackages: Readonly<Record<string, string>> = {
  msgpack: 'python3-msgpack',
  redis: 'python3-redis',
};

/** A Python 3 that can import `modules`; installs Debian's packages of them where root may, and throws otherwise. */
export function findPython(modules: readonly string[] = []): string {
  const found = candidates.find((python) => canImport(python, modules));
  if (found !== undefined) return found;
  const packages = ['python3', ...modules.flatMap((module) => debianPackages[module] ?? [])];
  const problem =
    installPackages(packages) ?? `it still can't be imported after installing ${packages.join(', ')}`;
  // apt-get installs for the system's interpreter only.
  if (canImport('/usr/bin/python3', modules)) return '/usr/bin/python3';
  throw new Error(
    `Expected a Python 3 that can import ${modules.join(', ') || 'its own library'} (tried ${candidates.join(', ')}), ` +
      `but ${problem}: run \`apt-get install ${packages.join(' ')}\` or \`python3 -m pip install ${modules.join(' ')}\``,
  );
}

export interface RunPythonOptions {
  /** What the script must be able to import. */
  readonly modules?: readonly string[];
  /** What it reads on stdin. */
  readonly input?: string | Uint8Array;
}

/** What Python prints, as UTF-8, when it is run with these arguments: `[file, …]` or `['-c', code, …]`. */
export function runPython(args: readonly string[], options: RunPythonOptions = {}): string {
  const { modules, input } = options;
  const run = spawnSync(findPython(modules), args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    timeout: 110_000,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8', PYTHONDONTWRITEBYTECODE: '1' },
    ...(input === undefined ? {} : { input }),
  });
  if (run.error !== undefined) throw run.error;
  if (run.status === 0) return run.stdout;
  throw new Error(`Python ended with ${run.status ?? run.signal}: ${run.stderr}`);
}

function canImport(python: string, modules: readonly string[]): boolean {
  const code = [
    'import sys; assert sys.version_info >= (3, 8)',
    ...modules.map((module) => `import ${module}`),
  ];
  return spawnSync(python, ['-c', code.join('\n')], { stdio: 'ignore' }).status === 0;
}
