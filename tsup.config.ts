import { defineConfig } from 'tsup';

const shared = {
  target: 'node20',
  splitting: true,
  sourcemap: true,
  treeshake: true,
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
} as const;

export default defineConfig([
  {
    ...shared,
    entry: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
    format: ['esm', 'cjs'],
  },
]);
