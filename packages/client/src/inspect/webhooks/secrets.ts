// Where webhook secrets come from: environment variables, never the command line and never the configuration file.

/** The variable that is looked at where the configuration names no other one. */
export const secretVariable = (provider: string): string =>
  `EXPOSE_WEBHOOK_SECRET_${provider.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`;

/**
 * Reads the secrets of a provider. Several, separated by blanks or line breaks, serve while one is rolled; a secret that
 * has blanks in it is tried as a whole as well.
 *
 * @returns none when the variable is not set, or empty
 */
export function readSecrets(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
): string[] {
  const value = env[variable] ?? "";
  const pieces = value.split(/\s+/).filter((piece) => piece !== "");
  if (pieces.length === 0) return [];
  return pieces.length === 1 && pieces[0] === value
    ? pieces
    : [...pieces, value];
}
