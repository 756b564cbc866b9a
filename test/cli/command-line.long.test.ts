/** `command-line.test.ts`, each call a process of the command line as it is published. */

import './command-line.test.js';
