/** Tests in two forms: a short one that `npm test` waits for, and a long one in `npm run test:long`. */

/** Whether this is the long form: `x.long.test.ts` runs `x.test.ts` in it. */
export const isLong = process.env['TOOLSTASH_FORM'] === 'long';

/** How many rounds this form has, or whatever else tells the two apart. */
export function inForm<Value>({ short, long }: { readonly short: Value; readonly long: Value }): Value {
  return isLong ? long : short;
}
