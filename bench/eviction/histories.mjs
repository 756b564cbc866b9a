/**
 * Prints a trace of a repository's history, one key a line: the files that each commit changed, the oldest first, as an agent
 * reads what it works on: node bench/eviction/histories.mjs <repository> [trials] > trace.keys
 */

import { execFileSync } from 'node:child_process';

const [repository, trials = '1'] = process.argv.slice(2);
const log = execFileSync('git', ['-C', repository, 'log', '--reverse', '--name-only', '--format=%x00'], {
  ...{ encoding: 'utf8', maxBuffer: 2 ** 30 },
});
for (const commit of log.split('\0')) {
  const files = commit.split('\n').filter((name) => name !== '');
  for (let trial = 0; trial < Number(trials); trial += 1) for (const file of files) console.log(file);
}
