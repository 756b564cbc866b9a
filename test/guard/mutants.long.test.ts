/** The long form of `mutants.slow.test.ts`: every mutant of every guard. */

import './mutants.slow.test.js';
