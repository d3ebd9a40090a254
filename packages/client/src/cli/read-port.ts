// Reads the port that a flag names.
import { ExposeError } from "../errors.ts";

/**
 * @param flag for the message
 * @returns undefined when the flag was not given
 * @throws ExposeError `usage-invalid`
 */
export function readPort(
  flag: string,
  text: string | undefined,
): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= 0 && port <= 65_535) return port;
  throw new ExposeError(
    "usage-invalid",
    `${flag} "${text}" is no port: write a number from 1 to 65535, or 0 to let one be chosen.`,
  );
}
