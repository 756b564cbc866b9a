/** Loaded into a process before all else: shifts its wall clock by what a file says, `+3600s` or `-3600s`. */

import { readFileSync } from 'node:fs';

const RealDate = Date;
const now = () =>
  RealDate.now() + Number.parseFloat(readFileSync(process.env.SHIFTED_DATE_FILE, 'utf8')) * 1_000;

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(now());
    else super(...parts);
  }

  static now() {
    return now();
  }
};
