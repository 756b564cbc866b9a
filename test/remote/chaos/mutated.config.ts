/** Runs tests of the folder above with one fault of `mutants.ts`: `TOOLSTASH_MUTANT=<number> vitest run --config <this> <file>`. */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import base from '../../../vitest.config.js';
import { mutants } from './mutants.js';

const mutant = mutants[Number(process.env['TOOLSTASH_MUTANT'])];

export default defineConfig({
  root: fileURLToPath(new URL('../../..', import.meta.url)),
  resolve: base.resolve ?? {},
  plugins: [
    {
      name: 'mutation',
      enforce: 'pre',
      transform(code, id) {
        let mutated = code;
        for (const { file, from, to } of mutant?.changes ?? []) {
          if (!id.endsWith(`/src/${file}`)) continue;
          if (!from.test(mutated)) throw new Error(`Expected ${file} to hold ${from}: plant the fault anew`);
          mutated = mutated.replace(from, to);
        }
        return mutated === code ? undefined : mutated;
      },
    },
  ],
  test: { include: ['test/remote/*.test.ts'], testTimeout: 120_000, expect: { poll: { timeout: 10_000 } } },
});
