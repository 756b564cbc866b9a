/**
 * A confidence interval for a share of which few were counted: Wilson's score interval. Edwin B. Wilson, "Probable
 * inference, the law of succession, and statistical inference", Journal of the American Statistical Association 22 (1927),
 * 209–212. Unlike the normal approximation it holds where the share is close to 0, as it is here.
 */

/** The quantile of the normal distribution for 95 %, on both sides. */
const z = 1.959963984540054;

/** The interval that holds the true share with 95 % confidence; from 0 to 1 where nothing was counted. */
export function wilsonInterval(found: number, of: number): readonly [low: number, high: number] {
  if (of === 0) return [0, 1];
  const share = found / of;
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  const centre = share + (z * z) / (2 * of);
  // Rounding would leave a trace of what is exactly 0 or 1.
  const low = found === 0 ? 0 : (centre - spread) / scale;
  const high = found === of ? 1 : (centre + spread) / scale;
  return [low, high];
}
