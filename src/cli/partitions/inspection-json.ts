/** What `inspect --json` and `verify --json` print. */

import type { Inspection } from '../../persistence/offline/inspection.js';
import type { InspectTotals } from './inspect-report.js';

/** Times are epoch ms; what is not known is `null`. */
export function inspectionJson({ files, methods, unlisted }: Inspection, totals: InspectTotals): object {
  return {
    ...known(totals),
    methods: methods.map((method) => known(method)),
    files: files.map(({ damage, unread, ...file }) => ({
      ...known(file),
      unread: unread.length,
      damage: damage.map(({ offset, reason }) => ({ offset, reason })),
    })),
    unlisted: unlisted.map(({ message }) => message),
  };
}

function known(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null]));
}
