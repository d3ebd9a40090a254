// Reads a number that an option has.
import { ExposeError } from "../errors.ts";

/** @throws ExposeError `usage-invalid` for what is no whole number from 1 to `most` */
export function parseCount(
  flag: string,
  text: string | undefined,
  absent: number,
  most: number,
): number {
  if (text === undefined) return absent;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new ExposeError(
    "usage-invalid",
    `${flag} "${text}" is no whole number from 1 to ${most}.`,
  );
}
