/** The examples for each framework, run as programs of their own. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The majors that the examples are written for. */
const alias = {
  'toolstash/langchain': here('../../src/langchain/index.ts'),
  toolstash: here('../../src/index.ts'),
  ai: 'ai-6',
  '@mastra/core': 'mastra-1',
};

/** What an example prints. It runs where the frameworks are found. */
export async function runExample(name: string): Promise<string> {
  const outfile = here(`node_modules/.examples/${name}.mjs`);
  await build({
    ...{ entryPoints: [here(`../../examples/${name}.ts`)], outfile, alias },
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' },
    plugins: [
      {
        name: 'packages-stay-outside',
        setup: ({ onResolve }) => {
          onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
            const [named] = Object.keys(alias).filter((each) => path === each || path.startsWith(`${each}/`));
            if (kind === 'entry-point' || named?.startsWith('toolstash')) return undefined;
            const other =
              named === undefined ? path : path.replace(named, alias[named as keyof typeof alias]);
            return { path: other, external: true };
          });
        },
      },
    ],
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: here('.') });
  return stdout;
}
