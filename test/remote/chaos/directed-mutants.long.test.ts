/** Each fault makes the test fail that is named for it, which passes without. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { mutants } from './mutants.js';

const config = fileURLToPath(new URL('./mutated.config.ts', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** How a test came out with a fault, or without. */
async function run([file, test]: (typeof mutants)[number]['directed'], mutant: number | undefined) {
  const named = test.replace(/[^\w ]/g, '.');
  const args = ['run', '--config', config, '--reporter', 'json', `test/remote/${file}`, '-t', named];
  const env = { ...process.env, TOOLSTASH_MUTANT: String(mutant), VITEST: undefined };
  const child = spawn(process.execPath, [vitest, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += String(bytes);
  });
  await once(child, 'close');
  const { testResults } = JSON.parse(said.slice(said.indexOf('{"'))) as Report;
  const ran = testResults.flatMap(({ assertionResults }) => assertionResults);
  const those = ran.filter(({ status }) => status === 'passed' || status === 'failed');
  expect(those, JSON.stringify(testResults.map(({ message }) => message))).toHaveLength(1);
  return those[0]!;
}

it.each(mutants.map((mutant, at) => [mutant.what, mutant, at] as const))(
  '%s',
  async (_, { directed }, at) => {
    expect(await run(directed, undefined)).toMatchObject({ status: 'passed' });
    const { status, failureMessages } = await run(directed, at);
    console.log(directed.join(': '), failureMessages.join('\n').slice(0, 300));
    expect(status).toBe('failed');
  },
);
