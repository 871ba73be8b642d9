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

/** `1536mb` or `2gb`: the largest unit that shows the size with at most one decimal. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of Object.entries(UNITS).reverse()) {
    const tenths = (bytes / factor) * 10;
    if (tenths >= 10 && (Number.isInteger(tenths) || tenths >= 10_000)) return `${Math.round(tenths) / 10}${unit}`;
  }
  for (const [unit, factor] of Object.entries(UNITS).reverse()) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)}${unit}`;
  }
  return '0b';
}
