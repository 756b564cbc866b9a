/** The calls of entries, as `inspect --params` lists them. */

import { plural, printable } from '../../report/format.js';
import type { TierRecord } from '../../tier.js';
import { keptFields, keptText } from './kept-params.js';

/** More are counted, and not listed in the report for people. */
const mostListed = 1_000;

/** The calls of a cache. */
export class KeptCalls {
  readonly #lines: string[] = [];
  readonly #fields: object[] = [];
  readonly #isJson: boolean;
  #unlisted = 0;

  constructor({ isJson }: { readonly isJson: boolean }) {
    this.#isJson = isJson;
  }

  /** Takes all entries in. */
  async addAll(records: AsyncIterable<TierRecord>): Promise<this> {
    for await (const record of records) this.#add(record);
    this.#lines.sort();
    return this;
  }

  #add(record: TierRecord): void {
    const { method, key } = record;
    if (this.#isJson) this.#fields.push({ method, key, ...keptFields(record) });
    else if (this.#lines.length === mostListed) this.#unlisted += 1;
    else this.#lines.push(`${printable(method)}  ${key}  ${keptText(record) ?? 'its params were not kept'}`);
  }

  /** As fields of JSON. */
  get fields(): readonly object[] {
    return this.#fields;
  }

  /** As lines of a report, each of them a call. */
  get text(): string {
    const more =
      this.#unlisted === 0
        ? []
        : [`and ${plural(this.#unlisted, 'call')} more: \`toolstash export\` has all`];
    return [...this.#lines, ...more].map((line) => `  ${line}\n`).join('');
  }
}
