/** What `inspect --json` and `verify --json` print. */

import type { Inspection } from '../../persistence/inspection.js';
import type { InspectTotals } from './inspect-report.js';

/** Times are epoch ms; what is not known is `null`. */
export function inspectionJson({ files, methods }: Inspection, totals: InspectTotals): object {
  return {
    ...known(totals),
    methods: methods.map((method) => known(method)),
    files: files.map(({ damage, ...file }) => ({
      ...known(file),
      damage: damage.map(({ offset, reason }) => ({ offset, reason })),
    })),
  };
}

function known(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null]));
}
