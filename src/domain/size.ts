/** Sizes as people write them: `512mb`, `1.5gb`, `2GiB`. Units are powers of 1024, as in valkey.conf. */

const UNITS: Record<string, number> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };

/** The size in bytes, or null when the text is not a positive number with a unit (b, kb, mb, gb, tb). */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b$/i.exec(text.trim());
  if (!match) return null;
  const unit = UNITS[`${match[2]!.toLowerCase()}b`]!;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** `1.5gb`: in the largest unit that leaves at least one of it, with at most one decimal. */
export function formatSize(bytes: number): string {
  const [unit, factor] = unitOf(bytes);
  return `${Math.round((bytes / factor) * 10) / 10}${unit}`;
}

/** As `formatSize`, never less than it is: for what somebody has to provide. */
export function sizeAtLeast(bytes: number): string {
  const [unit, factor] = unitOf(bytes);
  return `${Math.ceil((bytes / factor) * 10) / 10}${unit}`;
}

const unitOf = (bytes: number): [unit: string, factor: number] =>
  Object.entries(UNITS)
    .reverse()
    .find(([, size]) => bytes >= size) ?? ['b', 1];

/** `12.5 %` of a part of 1. */
export const formatShare = (share: number): string => `${(share * 100).toFixed(1)} %`;
