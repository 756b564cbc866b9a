/** The code of the disk tier, loaded with the first cache that needs it: it is two fifths of the package. */

import * as clock from '../../clock.js';
import * as duration from '../../duration.js';
import * as errors from '../../errors.js';
import * as keyHasher from '../../key/key-hasher.js';
import * as nextTurn from '../../next-turn.js';
import * as nodeCrypto from '../../node-crypto.js';
import * as optionChecks from '../../option-checks.js';
import { load } from '../../persistence/load.js';
import * as stamp from '../../stamp.js';
import * as limits from '../../value/msgpack/limits.js';
import * as scanner from '../../value/msgpack/scanner.js';
import * as writer from '../../value/msgpack/writer.js';

/** What it shares with the rest, by paths. By imports of its own it would get copies, with other error classes and clocks. */
const shared = {
  clock,
  duration,
  errors,
  'key/key-hasher': keyHasher,
  'next-turn': nextTurn,
  'node-crypto': nodeCrypto,
  'option-checks': optionChecks,
  stamp,
  'value/msgpack/limits': limits,
  'value/msgpack/scanner': scanner,
  'value/msgpack/writer': writer,
};

let code: ReturnType<typeof load> | undefined;

export function diskCode(): ReturnType<typeof load> {
  code ??= load(shared);
  return code;
}
