/** Medians and their like, and figures as the tables show them. */

export interface Summary {
  count: number;
  median: number;
  min: number;
  max: number;
}

/** @throws RangeError for no values at all */
export function summarize(values: readonly number[]): Summary {
  return {
    count: values.length,
    median: percentile(values, 50),
    min: percentile(values, 0),
    max: percentile(values, 100),
  };
}

/** The value below or at which `percent` of the values lie, between neighbours in proportion. @throws RangeError */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

/** `1,234 ms`; below 100 ms with one digit after the point. */
export const ms = (value: number): string =>
  `${value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 })} ms`;

/** `median (min to max)`, in milliseconds. */
export const spread = ({ median, min, max }: Summary): string => `${ms(median)} (${ms(min)} to ${ms(max)})`;
