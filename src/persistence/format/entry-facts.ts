/** The facts that only some entries have, under the names that files give them. */

import type { Sliding, TierMetadata } from '../../tier.js';

type EntryFacts = Pick<TierMetadata, 'cost' | 'isNegative' | 'sliding' | 'hasOwnTtl'>;

/** The numbers that tell together how an entry slides. */
export const slidingFields = ['idle_ms', 'max_stale_at', 'max_expires_at'] as const;

/** The names of all such facts. */
export const factFields = ['cost', 'negative', 'own_ttl', ...slidingFields] as const;

const names = new Set<string>(factFields);

/** Whether a field of an entry's metadata tells such a fact. */
export function isFactField(name: string): boolean {
  return names.has(name);
}

/** The facts of an entry as fields of its metadata. */
export function fieldsOf({
  cost,
  isNegative,
  sliding,
  hasOwnTtl,
}: EntryFacts): [name: string, value: number | true][] {
  const fields: [name: string, value: number | true][] = [];
  if (isAmount(cost)) fields.push(['cost', cost]);
  if (isNegative === true) fields.push(['negative', true]);
  if (hasOwnTtl === true) fields.push(['own_ttl', true]);
  if (sliding !== undefined) {
    const { idleMs, staleAt, expiresAt } = sliding;
    const values = [idleMs, Math.floor(staleAt), Math.floor(expiresAt)];
    for (const [index, name] of slidingFields.entries()) fields.push([name, values[index]!]);
  }
  return fields;
}

/**
 * The facts that fields tell, of an entry that expires at `expiresAt`. What is not of its type and range tells nothing:
 * any program may have written it.
 */
export function factsFrom(fields: ReadonlyMap<string, unknown>, expiresAt: number | null): EntryFacts {
  const cost = fields.get('cost');
  const sliding = slidingFrom(fields);
  const slides = sliding !== undefined && expiresAt !== null && expiresAt <= sliding.expiresAt;
  return {
    ...(isAmount(cost) && { cost }),
    ...(fields.get('negative') === true && { isNegative: true }),
    ...(fields.get('own_ttl') === true && { hasOwnTtl: true }),
    ...(slides && { sliding }),
  };
}

function slidingFrom(fields: ReadonlyMap<string, unknown>): Sliding | undefined {
  const [idleMs, staleAt, expiresAt] = slidingFields.map((name) => fields.get(name));
  if (!isAmount(idleMs) || idleMs === 0 || !isAmount(staleAt) || !isAmount(expiresAt)) return undefined;
  return { idleMs, staleAt, expiresAt };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity;
}
