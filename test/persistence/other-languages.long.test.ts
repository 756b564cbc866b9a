/** The long form of `other-languages.slow.test.ts`: it installs Perl, Ruby and PHP. */

import './other-languages.slow.test.js';
