// Sizes for a table: few characters, three digits.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Writes a number of bytes with a unit of 1000: `0 B`, `812 B`, `1.3 kB`, `24 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}
