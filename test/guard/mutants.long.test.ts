/** The long form of `mutants.test.ts`: every mutant of every guard. */

import './mutants.test.js';
